"""The learned state of one scope: a function of its event log, brought up to date before each answer."""

import time
from bisect import insort
from dataclasses import dataclass, field
from datetime import UTC, datetime

from db.intake import events
from db.models import EventRow, FeedbackRow, PredictionRow
from memo.core.events import Event
from memo.core.grammar import Language
from memo.core.predictions import Answer, Ranking, action_from_dict
from worker.predictors.mixed import MixedPredictor

CHUNK = 1_000
"""Events read at once."""
LEARNED = 100_000
"""Events of the past that a stream begins with; after twice as many more it begins anew, so that it stays bounded."""
UPCOMING_KEPT = 20
"""Of a prediction's row and message."""


@dataclass
class ScopeModel:
    """One scope under one version. What came after the event `began` is learned, up to the event `seq`."""

    scope: str
    version: str
    generation: int
    predictor: MixedPredictor
    size: int
    began: int = 0
    seq: int = field(init=False)
    answered: int = 0
    """The feedback up to which answers are learned."""
    saved: int = field(init=False)
    """The event as of which a snapshot stands on the disk."""
    _window: list[tuple[datetime, int, Event]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seq = self.saved = self.began

    @property
    def outgrown(self) -> bool:
        """Whether it has learned so much that it should begin anew."""
        return self.seq - self.began > 3 * LEARNED

    def take_answer(self, row: FeedbackRow) -> None:
        """Take in what a person answered."""
        after, about = (action_from_dict(action) for action in (row.after, row.action))
        self.predictor.feedback.learn(after, about, Answer(row.answer))
        self.answered = row.id

    def learn(self, row: EventRow) -> None:
        """Take in the next event of the log."""
        event = events.as_event(row)
        self.predictor.learn(event)
        insort(self._window, (row.at, row.seq, event), key=lambda entry: entry[:2])
        del self._window[: -self.size]
        self.seq = row.seq

    def predict(self, row: EventRow, top: int, language: Language) -> PredictionRow:
        """What follows the event learned last, as a new row."""
        began = time.perf_counter()
        ranking = self.predictor.predict([event for _, _, event in self._window], top)
        latency_ms = (time.perf_counter() - began) * 1e3
        return self._as_row(row, ranking, latency_ms, language)

    def _as_row(self, row: EventRow, ranking: Ranking, latency_ms: float, language: Language) -> PredictionRow:
        first = ranking.candidates[0] if ranking.candidates else None
        return PredictionRow(
            scope=self.scope,
            made_at=datetime.now(UTC),
            last_event_id=row.id,
            model_version=self.version,
            operation=first and first.action.operation.value,
            target=first and first.action.target,
            app=first and first.action.place,
            probability=first and first.probability,
            expected_at=first and first.expected_at,
            candidates=[candidate.as_dict(language) for candidate in ranking.candidates],
            upcoming=[entry.as_dict(language, row.local_at) for entry in ranking.upcoming[:UPCOMING_KEPT]],
            new_probability=ranking.new_probability,
            latency_ms=latency_ms,
            with_model=ranking.with_model,
        )
