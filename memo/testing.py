"""Test doubles, shipped with the real implementations."""

from collections.abc import Sequence

from memo.core.events import CONTEXT, Action, Event
from memo.core.predictions import Candidate, Ranking


class ScriptedPredictor:
    """A `memo.protocols.Predictor` that ranks the actions learned last first and counts its calls."""

    def __init__(self) -> None:
        self.learned = 0
        self.asked = 0
        self._recent: dict[Action, Event] = {}

    def learn(self, event: Event) -> None:
        """Remember the event's action as the newest."""
        self.learned += 1
        if event.operation not in CONTEXT:
            self._recent.pop(event.action, None)
            self._recent[event.action] = event

    def predict(self, window: Sequence[Event], top: int) -> Ranking:
        """Rank the newest actions, each half as probable as the one before."""
        self.asked += 1
        newest = list(reversed(self._recent.values()))[:top]
        return Ranking(
            [Candidate(event.action, 0.5**place, window[-1].at, event.detail) for place, event in enumerate(newest, 1)]
        )
