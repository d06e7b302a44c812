"""The outbox: sends each stored prediction as a message, at least once, and the newest one to the dispatcher."""

from datetime import UTC, datetime, timedelta

from db.models import PredictionRow
from db.prediction import messages, predictions
from db.upkeep import jobs
from forget.erase_files import clear_messages
from memo.core.errors import MemoError
from memo.core.logs import get_logger
from memo.messaging.publisher import PublishError
from memo.stack.task_queue import ACT, ACT_EXPIRES_S
from worker.resources import Resources

BATCH = 100  # predictions sent at once

log = get_logger(__name__)


def send(resources: Resources, scope: str) -> None:
    """Send the unsent predictions of a scope; if the broker is away they stay unsent, and the tick retries."""
    while _send_batch(resources, scope):
        pass


def _send_batch(resources: Resources, scope: str) -> bool:
    """Send the oldest ones; return whether there may be more."""
    with resources.store.read() as session:
        last_forgotten = jobs.find_last_run(session, jobs.FORGET)
        unsent = predictions.find_unsent(session, scope, BATCH)
        ready = messages.build_messages(session, unsent, resources.settings.language)
    if not unsent:
        return False
    newest = unsent[-1][0]
    is_stale = datetime.now(UTC) - newest.made_at > timedelta(seconds=ACT_EXPIRES_S)
    try:
        resources.publisher.publish(ready)
        if not is_stale:
            _hand_over(resources, newest)
    except MemoError as error:
        log.warning("broker_unavailable", scope=scope, reason=str(error))
        return False
    with resources.store.write(is_lasting=False) as session:
        predictions.record_published(session, [prediction.id for prediction, _ in unsent])
        if not is_stale:
            predictions.record_dispatched(session, newest.id)
        is_current = jobs.find_last_run(session, jobs.FORGET) == last_forgotten
    if not is_current:  # something was forgotten after they had been read: they may name it, in a stream emptied before
        clear_messages(resources.home, resources.settings)
    return len(unsent) == BATCH


def _hand_over(resources: Resources, newest: PredictionRow) -> None:
    """Ask the dispatcher to act on a prediction; the request expires. Raises PublishError."""
    try:
        resources.queue.send_task(ACT, (newest.id,), expires=ACT_EXPIRES_S, retry=False)
    except Exception as error:  # each transport has its own
        raise PublishError(f"The broker does not accept tasks ({type(error).__name__}: {error}).") from error
