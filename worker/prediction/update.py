"""Look at a scope: learn what came, settle the outcomes, predict what follows, write it down, send it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from db.intake import events, scopes
from db.models import EventRow, PredictionRow
from db.prediction import checkpoints, feedback, predictions, versions
from memo.core.events import CONTEXT, Operation
from memo.core.logs import get_logger
from memo.core.predictions import action_as_dict
from worker.prediction import snapshots
from worker.prediction.outbox import send
from worker.prediction.scope_model import CHUNK, ScopeModel
from worker.prediction.scope_models import ScopeModels
from worker.predictors.serving import BUILTIN, Serving
from worker.resources import Resources

MAX_ATTEMPTS = 3
"""An event at which the worker died so often is given up."""
LIMIT_S = 0.25
"""How long a prediction waits for the language model."""
BATCH = 32
"""Predictions of one transaction, where each event gets one."""

log = get_logger(__name__)


@dataclass
class Answers:
    """What one transaction writes."""

    made: list[PredictionRow] = field(default_factory=list)
    settled: list[PredictionRow] = field(default_factory=list)


class ScopeUpdater:
    """Holds the model, and the streams that this process has read."""

    def __init__(self, opened: Resources) -> None:
        self._opened = opened
        self.models = ScopeModels(opened, Serving(opened.settings.model, LIMIT_S))

    def warm_up(self) -> None:
        """Load the model; where that fails, history answers alone."""
        self.models.serving.reader(BUILTIN, None)

    def update(self, scope: str) -> None:
        """Bring a scope up to date; a second look at the same events changes nothing."""
        with self._opened.store.write() as session:
            row = scopes.record_start(session, scope)
            version = versions.find_serving(session, scope, self._opened.settings.scope)
        if row.attempts > MAX_ATTEMPTS:
            if row.attempts == MAX_ATTEMPTS + 1:  # the tick asks again and again
                log.error("gave up on an event at which the worker died", scope=scope, seq=row.attempt_seq)
            send(self._opened, scope)
            return
        try:
            stream = self.models.open(row, version)
            for answers in self._answers(stream, row.last_seq):
                if not self._write(stream, answers):
                    break  # the past has changed meanwhile; the next look reads it anew
                send(self._opened, scope)
        except BaseException:
            self.models.drop(scope)
            raise
        with self._opened.store.write() as session:
            scopes.record_end(session, scope)
        self.models.save(stream, snapshots.EVERY)

    def _answers(self, stream: ScopeModel, newest: int) -> Iterator[Answers]:
        """Learn the log up to `newest`, and answer where it is due."""
        with self._opened.store.read() as session:
            waiting = [entry for entry in predictions.find_unsettled(session, stream.scope) if entry[1] >= stream.began]
            predicted = predictions.find_last_predicted_seq(session, stream.scope)
            answered = feedback.find_answers_after(session, stream.scope, stream.answered)
        for answer in answered:
            stream.learn_feedback(answer)
        answers = Answers()
        for row in self._rows(stream, newest):
            if row.seq > stream.seq:
                waiting = _settle(waiting, row, answers)
                stream.learn(row)
            if self._is_due(stream, row, newest, predicted):
                settings = self._opened.settings
                made = stream.predict(row, settings.predict.top, settings.language)
                answers.made.append(made)
                waiting.append((made, row.seq))
            if len(answers.made) >= BATCH:
                yield answers
                answers = Answers()
        yield answers

    def _rows(self, stream: ScopeModel, newest: int) -> Iterator[EventRow]:
        """What is new; where nothing is, the newest one again, for another version may not have answered it."""
        if stream.seq == newest > 0:
            with self._opened.store.read() as session:
                yield from events.find_after(session, stream.scope, newest - 1, 1)
        while stream.seq < newest:
            with self._opened.store.read() as session:
                after = events.find_after(session, stream.scope, stream.seq, CHUNK)
            rows = [row for row in after if row.seq <= newest]
            if not rows:
                return
            yield from rows

    def _is_due(self, stream: ScopeModel, row: EventRow, newest: int, predicted: int) -> bool:
        """Live, the newest event is; in a lossless replay every event. What was imported is past."""
        if row.source == events.IMPORT:
            return False
        if row.seq == newest:
            with self._opened.store.read() as session:
                return not predictions.has_prediction(session, stream.scope, row.id, stream.version)
        return self._opened.settings.predict.every == row.scope and row.seq > predicted

    def _write(self, stream: ScopeModel, answers: Answers) -> bool:
        """Write what is still true; false where it was learned from a past that has changed."""
        with self._opened.store.write() as session:
            if scopes.lock_scope(session, stream.scope).generation != stream.generation:
                return False
            predictions.record_outcomes(session, answers.settled)
            predictions.add_predictions(session, answers.made)
            if answers.made:
                weights = stream.predictor.weights()
                checkpoints.record_weights(
                    session, stream.scope, stream.version, stream.generation, stream.seq, weights
                )
        return True


def _settle(
    waiting: list[tuple[PredictionRow, int]], row: EventRow, answers: Answers
) -> list[tuple[PredictionRow, int]]:
    """Give the predictions made before this event their outcome; those that still wait."""
    if Operation(row.operation) in CONTEXT:
        return waiting
    action = action_as_dict(events.as_event(row).action)
    for prediction, seq in waiting:
        if seq < row.seq:
            ranked = [candidate["action"] for candidate in prediction.candidates]
            prediction.outcome_event_id = row.id
            prediction.outcome_operation, prediction.outcome_target = row.operation, row.target
            prediction.outcome_rank = ranked.index(action) + 1 if action in ranked else None
            if prediction.id is not None:
                answers.settled.append(prediction)
    return [entry for entry in waiting if entry[1] >= row.seq]
