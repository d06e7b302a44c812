"""The notification that tells the owner once that predictions became worse, and that something was done about it."""

from memo.clock import quiet_hours
from memo.core.logs import get_logger
from memo.core.settings import Settings
from worker.effects.notifications import NotShown, show

HANDLER = "notify"
SUMMARY = {"en": "MEMO: predictions became worse", "zh": "MEMO：预测变差了"}
BODY = {
    "en": "So MEMO now predicts in another way; `memo status` says why.",
    "zh": "因此 MEMO 自动更换了作答的版本；`memo status` 说明原因。",
}
FOR_EVER_S = 0.0  # until it is dismissed: nobody is there when it is shown

log = get_logger("training")


def tell_owner(settings: Settings) -> None:
    """Show the notification if the handler `notify` is on, but not in quiet hours."""
    if HANDLER not in settings.dispatch.on or quiet_hours.find_end(settings):
        return
    try:
        show(SUMMARY[settings.language], BODY[settings.language], {}, FOR_EVER_S)
    except NotShown as error:
        log.info("notification_not_shown", reason=str(error))
