"""`memo feedback`: say whether a suggestion was good."""

from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from cli.terminal.options import argument
from cli.terminal.output import print_text
from db.models import PredictionRow
from db.store_access import writable_store
from memo.core.errors import UsageError
from memo.core.paths import Home
from memo.core.predictions import Answer, action_from_dict
from memo.core.settings import Settings
from memo.display.text import short

LAST = "last"


def feedback(
    prediction: Annotated[
        str,
        argument(metavar="ID|last", help="Id of the prediction, see `memo history`; last: what notify or ask showed."),
    ],
    answer: Annotated[Answer, argument(metavar="yes|no|never", help="never: not again in any situation, until a yes.")],
    rank: Annotated[
        int, typer.Option(min=1, help="Rank of the action among those that you were expected to do next, from 1.")
    ] = 1,
) -> None:
    """Say whether a suggestion was good: yes, no or never.

    A yes makes the suggestion more likely in the same situation, a no less likely. With `last` you answer the newest
    notification of the handlers `notify` and `ask`. That counts like a click on a button of `ask`, but a yes opens
    nothing.

    Examples: `memo feedback 1203 never`, `memo feedback last no`
    """
    from db.prediction import feedback as answers

    settings, home = Settings.load(), Home.find()
    with writable_store(settings, home) as store, store.write() as session:
        if prediction == LAST:
            if rank != 1:
                raise UsageError("A notification is about one action only; leave out --rank.")
            row, action, shown = _find_shown(session, settings.scope)
        else:
            row, action, shown = *_find_ranked(session, prediction, rank), ""
        answers.add_answer(session, row, action, answer)
    print_text(f"Noted: {answer} to {short(action_from_dict(action), settings.language)}{shown}.")


def _find_shown(session: Session, scope: str) -> tuple[PredictionRow, dict[str, Any], str]:
    """Return the prediction and the action of the newest box, and which box that was. Raises UsageError."""
    from db.dispatch import dispatches
    from worker.handlers import installed, showing_boxes

    row = dispatches.find_last_shown(session, scope, showing_boxes(installed()))
    if row is None:
        raise UsageError(
            "No notification was shown to you yet, or it was forgotten; turn on `notify` or `ask`, or name a "
            "prediction by its id, as in `memo history`."
        )
    prediction = session.get_one(PredictionRow, row.prediction_id)
    return prediction, row.action, f", which {row.handler} showed for prediction {prediction.id}"


def _find_ranked(session: Session, prediction: str, rank: int) -> tuple[PredictionRow, dict[str, Any]]:
    """Return a prediction and the action of a rank in it. Raises UsageError."""
    from db.prediction import predictions

    row = predictions.find_prediction(session, int(prediction)) if prediction.isdecimal() else None
    expected = (row.person or row.candidates) if row else []  # early predictions have candidates alone
    if row is None or len(expected) < rank:
        raise UsageError(
            f"There is no prediction {prediction} with an action of rank {rank}; `memo history` lists the ids."
        )
    return row, expected[rank - 1]["action"]
