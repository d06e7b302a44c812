"""What is written goes out: each prediction as a message, at least once, and the newest one to the dispatcher."""

from typing import Any

from db import events, predictions
from db.models import EventRow, PredictionRow
from memo.errors import MemoError
from memo.grammar import Language, write
from memo.logs import get
from memo.messages import prediction_message
from memo.predictions import action_as_dict
from memo.queue import ACT, ACT_EXPIRES_S
from worker.context import Context

BATCH = 100

log = get(__name__)


def send(opened: Context, scope: str) -> None:
    """Send what was not sent. Where the broker is away it stays unsent; the tick asks again."""
    with opened.store.read() as session:
        unsent = predictions.unsent(session, scope, BATCH)
        settled = predictions.settled_by(session, [event.id for _, event in unsent])
    if not unsent:
        return
    messages = [_message(prediction, event, settled, opened.settings.language) for prediction, event in unsent]
    try:
        opened.publisher.publish(messages)
        newest = _hand_over(opened, unsent[-1][0])
    except MemoError as error:
        log.warning("predictions wait for the broker", scope=scope, reason=str(error))
        return
    with opened.store.write() as session:
        predictions.mark_published(session, [prediction.id for prediction, _ in unsent])
        if newest is not None:
            predictions.mark_dispatched(session, newest)
