"""Tasks that ask for a run; the supervisor starts the process that carries it out."""

from functools import cache

from celery import shared_task

from db import runs
from db.engine import Store, open_store
from memo.paths import Home
from memo.queue import EVALUATE, TRAIN
from memo.settings import Settings


@cache
def _store() -> Store:
    """This process's store; never open it before a fork."""
    return open_store(Settings.load(), Home.find())


def _ask(kind: str, scope: str) -> None:
    with _store().write() as session:
        runs.ask(session, kind, scope)
    Home.find().training_due.touch()


@shared_task(name=TRAIN)  # type: ignore[untyped-decorator]
def train(scope: str) -> None:
    """Ask for a training run."""
    _ask("train", scope)


@shared_task(name=EVALUATE)  # type: ignore[untyped-decorator]
def evaluate(scope: str) -> None:
    """Ask for an evaluation run."""
    _ask("evaluate", scope)
