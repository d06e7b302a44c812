"""The language model as the ranker sees it: a reader of one stream, and its scores."""

from dataclasses import dataclass, field
from typing import Protocol

from memo.core.events import Action, Event


@dataclass(frozen=True, slots=True)
class Scores:
    """Natural log-probabilities of the actions in the model's context, and of any other action."""

    actions: dict[Action, float] = field(default_factory=dict)
    new: float = 0.0


class Reader(Protocol):
    """A language model that reads along one stream."""

    def read(self, event: Event) -> None:
        """Add the next event to the context."""

    def scores(self) -> Scores:
        """Return the scores of what comes next; empty where the model has no answer."""
