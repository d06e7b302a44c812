"""The learned state of one scope: a function of its event log, brought up to date before each answer."""

import time
from bisect import insort
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.intake import events
from db.intake.events import LEARNED, LogEntry
from db.models import FeedbackRow, PredictionRow
from memo.core.events import Action, Event, Operation
from memo.core.grammar import Language
from memo.core.predictions import Answer, Ranking, action_as_dict, action_from_dict
from worker.predictors.history.tables import State
from worker.predictors.mixed import MixedPredictor

CHUNK = 1_000  # events read at once
RANKED = 5_000  # newest events of a log after which the person model ranks; earlier ones are only counted
KEPT = 20  # upcoming actions, places, and actions of the person in a prediction's row and message


@dataclass
class ScopeModel:
    """One scope under one version, which has learned the events after `began`, up to `seq`; numbers have gaps."""

    scope: str
    version: str
    generation: int
    predictor: MixedPredictor
    size: int  # events of the window
    began: int = 0
    seq: int = field(init=False)
    learned: int = 0  # events
    answered: int = 0  # id of the last feedback learned
    focused: Action | None = None  # the last focus
    rests: bool = False  # whether it has no language model until it is opened again
    saved: int = field(init=False)  # the event as of which there is a snapshot
    _window: list[tuple[datetime, int, Event]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seq = self.saved = self.began

    def outgrown(self, learned: int = LEARNED) -> bool:
        """Return whether the model has learned over three times `learned` events, and begins again to stay bounded."""
        return self.learned > 3 * learned

    def rest(self) -> None:
        """Let go of the language model and of its context."""
        if not self.rests:
            self.predictor.resume(None, self.predictor.weights(), ())
            self.rests = True

    def learn_feedback(self, row: FeedbackRow) -> None:
        """Learn what a person answered to a suggestion."""
        after, about = (action_from_dict(action) for action in (row.after, row.action))
        self.predictor.feedback.learn(after, about, Answer(row.answer))
        self.answered = row.id

    def learn(self, row: LogEntry, unranked: int = 0) -> None:
        """Learn the next event of the log, whose last event to be counted only is `unranked`."""
        event = events.as_event(row)
        self.predictor.learn(event, ranks=row.seq > unranked)
        self.learned += 1
        if event.operation is Operation.WINDOW_FOCUS:
            self.focused = event.action
        entry = (row.at, row.seq, event)
        if self._window and entry[:2] < self._window[-1][:2]:
            insort(self._window, entry, key=lambda entry: entry[:2])
        else:
            self._window.append(entry)
        del self._window[: -self.size]
        self.seq = row.seq

    def predict(
        self, row: LogEntry, top: int, language: Language, is_excluded: Callable[[Action], bool]
    ) -> PredictionRow:
        """Return a new row with what follows `row`, the event learned last, without what is excluded by now."""
        began = time.perf_counter()
        ranking = self.rank(top, is_excluded)
        latency_ms = (time.perf_counter() - began) * 1e3
        return self._as_row(row, ranking, latency_ms, language)

    def rank(self, top: int, is_excluded: Callable[[Action], bool]) -> Ranking:
        """Rank what follows the event learned last, without what is excluded by now."""
        return self.predictor.predict([event for _, _, event in self._window], top).without(is_excluded)

    def _as_row(self, row: LogEntry, ranking: Ranking, latency_ms: float, language: Language) -> PredictionRow:
        first = ranking.candidates[0] if ranking.candidates else None
        places = ranking.places[:KEPT]
        listed = {one.place for one in places}
        person = [one for one in ranking.person if one.action.coarse in listed][:KEPT]
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
            upcoming=[entry.as_dict(language, row.local_at) for entry in ranking.upcoming[:KEPT]],
            new_probability=ranking.new_probability,
            places=[place.as_dict() for place in places],
            new_place=max(0.0, 1 - sum(place.probability for place in places)),
            person=[action.as_dict(language, row.local_at) for action in person],
            latency_ms=latency_ms,
            with_model=ranking.with_model,
        )

    def state(self) -> State:
        """Return everything but the language model and the size of the window, which is a setting."""
        return {
            "scope": self.scope,
            "version": self.version,
            "generation": self.generation,
            "began": self.began,
            "seq": self.seq,
            "learned": self.learned,
            "answered": self.answered,
            "focused": action_as_dict(self.focused) if self.focused else {},
            "window": [
                [at.isoformat(), seq, asdict(event) | {"at": event.at.isoformat()}] for at, seq, event in self._window
            ],
            "predictor": self.predictor.state(),
        }

    @classmethod
    def from_state(cls, state: State, size: int) -> "ScopeModel":
        """Return the model of a `state`. Raises an exception of any kind if it is malformed."""
        predictor = MixedPredictor()
        predictor.restore(state["predictor"])
        model = cls(state["scope"], state["version"], state["generation"], predictor, size, state["began"])
        model.seq = model.saved = state["seq"]
        model.learned, model.answered = state["learned"], state["answered"]
        model.focused = action_from_dict(state["focused"]) if state["focused"] else None
        model._window = [(datetime.fromisoformat(at), seq, _event(fields)) for at, seq, fields in state["window"]]
        return model


def find_unranked(session: Session, model: ScopeModel, newest: int) -> int:
    """Return the last event that is to be counted only, if a model learns those up to `newest`."""
    if newest - model.seq <= RANKED:
        return model.seq
    return events.find_begin(session, model.scope, newest, RANKED)


def _event(fields: State) -> Event:
    at, operation = datetime.fromisoformat(fields["at"]), Operation(fields["operation"])
    return Event(**(fields | {"at": at, "operation": operation}))
