"""`memo feedback`: say whether a suggestion was good."""

from typing import Annotated

import typer

from cli.terminal.options import argument
from cli.terminal.output import print_text
from db.store_access import writable_store
from memo.core.errors import UsageError
from memo.core.paths import Home
from memo.core.predictions import Answer, action_from_dict
from memo.core.settings import Settings
from memo.display.text import short


def feedback(
    prediction: Annotated[int, argument(metavar="ID", help="Id of the prediction, see `memo history`.")],
    answer: Annotated[Answer, argument(metavar="yes|no|never", help="never: not again in any situation, until a yes.")],
    rank: Annotated[int, typer.Option(min=1, help="Which of the actions that it expected of you, from 1.")] = 1,
) -> None:
    """Say whether a suggestion was good: yes, no or never.

    A yes makes the suggestion more likely in the same situation, a no less likely.

    Example: `memo feedback 1203 never`
    """
    from db.prediction import feedback as answers
    from db.prediction import predictions

    settings, home = Settings.load(), Home.find()
    with writable_store(settings, home) as store, store.write() as session:
        row = predictions.find_prediction(session, prediction)
        expected = (row.person or row.candidates) if row else []  # early predictions have candidates alone
        if row is None or len(expected) < rank:
            raise UsageError(
                f"There is no prediction {prediction} with an action of rank {rank}; `memo history` lists the ids."
            )
        action = expected[rank - 1]["action"]
        answers.add_answer(session, row, action, answer)
    print_text(f"Noted: {answer} to {short(action_from_dict(action), settings.language)}.")
