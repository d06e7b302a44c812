"""The handler that shows a notification of the candidate."""

from typing import Any

from memo.display.text import short
from memo.protocols import Action, Candidate, DispatchContext, Handler, Home, Settings
from worker.effects.notifications import plain, show
from worker.effects.seen_before import SeenBefore

SUMMARY = {"en": "MEMO: probably next", "zh": "MEMO：接下来可能是"}
SHOWN_S = 10.0  # how long the notification is shown


class NotifyHandler(Handler):
    """Shows a notification that asks nothing."""

    name = "notify"
    noticed = True
    limit_s = 20.0
    per_hour = 1
    box_rank = 2

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings, self._seen = settings, SeenBefore(settings, home)

    def accepts(self, action: Action) -> bool:
        """Return whether `launch_app` leaves the action alone; a person notices an app that starts anyway."""
        return not self._settings.launches(action)

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Show the notification. Raises NotShown."""
        self._seen.check(candidate.action, context.scope)
        text = short(candidate.action, self._settings.language)  # not as an event, which would be told as past
        show(SUMMARY[self._settings.language], plain(text), {}, SHOWN_S)
        return {"shown": True}
