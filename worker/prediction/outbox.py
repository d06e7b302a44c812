"""What is written goes out: each prediction as a message, at least once, and the newest one to the dispatcher."""

from datetime import UTC, datetime, timedelta

from db.models import PredictionRow
from db.prediction import messages, predictions
from forget.erase_files import clear_messages
from memo.core.errors import MemoError
from memo.core.logs import get_logger
from memo.messaging.message import PublishError
from memo.stack.task_queue import ACT, ACT_EXPIRES_S
from worker.resources import Resources

BATCH = 100

log = get_logger(__name__)


def send(opened: Resources, scope: str) -> None:
    """Send what was not sent. Where the broker is away it stays unsent; the tick asks again."""
    while _send_batch(opened, scope):
        pass


def _send_batch(opened: Resources, scope: str) -> bool:
    """Send the oldest of them; whether there may be more."""
    with opened.store.read() as session:
        unsent = predictions.find_unsent(session, scope, BATCH)
        ready = messages.build_messages(session, unsent, opened.settings.language)
    if not unsent:
        return False
    newest = unsent[-1][0]
    is_stale = datetime.now(UTC) - newest.made_at > timedelta(seconds=ACT_EXPIRES_S)
    try:
        opened.publisher.publish(ready)
        if not is_stale:
            _hand_over(opened, newest)
    except MemoError as error:
        log.warning("predictions wait for the broker", scope=scope, reason=str(error))
        return False
    with opened.store.write() as session:
        all_there = predictions.record_published(session, [prediction.id for prediction, _ in unsent])
        if not is_stale:
            predictions.record_dispatched(session, newest.id)
    if not all_there:  # what was forgotten between the read and now went out after the stream was emptied
        clear_messages(opened.home, opened.settings)
    return len(unsent) == BATCH


def _hand_over(opened: Resources, newest: PredictionRow) -> None:
    """Ask the dispatcher to act on it; one that waits too long is not acted on."""
    try:
        opened.queue.send_task(ACT, (newest.id,), expires=ACT_EXPIRES_S, retry=False)
    except Exception as error:  # each transport raises its own
        raise PublishError(f"The broker does not take tasks ({type(error).__name__}: {error}).") from error
