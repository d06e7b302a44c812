"""Tasks that ask for a run; the supervisor starts the process that carries it out."""

from functools import cache
from typing import TYPE_CHECKING

from celery import shared_task

from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack.task_queue import EVALUATE, TRAIN

if TYPE_CHECKING:
    from db.engine import Store


@cache
def _store() -> "Store":
    """This process's store; never open it before a fork."""
    from db.engine import open_store  # in the child alone, so that the parent stays small

    return open_store(Settings.load(), Home.find())


def _ask(kind: str, scope: str) -> None:
    from db.upkeep import runs

    with _store().write() as session:
        runs.add_run(session, kind, scope)
    Home.find().training_due.touch()


@shared_task(name=TRAIN)  # type: ignore[untyped-decorator]
def train(scope: str) -> None:
    """Ask for a training run."""
    _ask("train", scope)


@shared_task(name=EVALUATE)  # type: ignore[untyped-decorator]
def evaluate(scope: str) -> None:
    """Ask for an evaluation run."""
    _ask("evaluate", scope)
