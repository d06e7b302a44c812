"""The probe: what a version answers to fixed events, which tells whether it serves as it was trained."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from memo.core.events import Event, Operation
from worker.predictors.reader import Reader

# Never to be changed: the manifests of versions hold their answers.
APPS = ("editor", "mail", "editor", "shell", "editor", "shell", "mail", "editor", "shell", "chat", "editor", "mail")
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
EVENTS = [
    Event(START + timedelta(seconds=40 * number), Operation.WINDOW_FOCUS, f"{app} window", app)
    for number, app in enumerate(APPS)
]
TOLERANCE = 0.05  # nats, in the mean: graphics cards round more coarsely than processors


def ask(reader: Reader) -> list[float]:
    """Return the log-probability that a new reader gives to each event after the first, after those before it."""
    found = []
    for event, following in pairwise(EVENTS):
        reader.read(event)
        scores = reader.scores()
        found.append(scores.actions.get(following.action, scores.new))
    return found


def is_alike(found: Sequence[float], trained: Sequence[float]) -> bool:
    """Return whether answers are those of the training."""
    differences = [abs(one - other) for one, other in zip(found, trained, strict=True)]
    return sum(differences) / len(differences) <= TOLERANCE
