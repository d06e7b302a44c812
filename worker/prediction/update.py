"""The update of a scope: learn new events, settle outcomes, predict what follows, store it, send it."""

from collections.abc import Iterator
from functools import partial

from sqlalchemy.orm import Session

from db.intake import events, scopes
from db.intake.events import LogEntry
from db.models import PredictionRow
from db.prediction import checkpoints, feedback, predictions, versions
from db.prediction.predictions import Answers
from memo.config.live import Derived
from memo.core.bounded import BoundedDict
from memo.core.logs import get_logger
from memo.privacy.exclusions import make_action_matcher
from memo.stack import heartbeat
from memo.stack.guard import refusals
from worker.prediction import snapshots
from worker.prediction.outbox import send
from worker.prediction.outcomes import SHOWN, Shown, UnjudgedByActs, UnjudgedByWants, settle
from worker.prediction.scope_model import CHUNK, ScopeModel, find_unranked
from worker.prediction.scope_models import HELD, ScopeModels
from worker.predictors.serving import BUILTIN, Serving
from worker.resources import Resources

MAX_ATTEMPTS = 3  # an event at which the worker died this many times is given up
LIMIT_S = 0.25  # longest wait of a prediction for the language model
BATCH = 32  # predictions of one transaction, where each event gets one

log = get_logger(__name__)


class ScopeUpdater:
    """Updates scopes; holds the language model and the models of the scopes that this process has read."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self.models = ScopeModels(resources, Serving(resources.settings.model, LIMIT_S))
        self._problems: BoundedDict[str, str] = BoundedDict(HELD)  # of versions, by scope
        self._taken_back: set[str] = set()  # versions that answer otherwise than when they were trained
        self._exclusion = Derived(resources.settings, resources.home, lambda now: make_action_matcher(now.privacy))

    def warm_up(self) -> None:
        """Load the language model; if that fails, history answers alone."""
        self.models.serving.reader(BUILTIN, None)

    def update(self, scope: str) -> None:
        """Bring a scope up to date; repeating it without new events changes nothing.

        A scope that the store does not know is refused: the request comes from the queue, and makes no rows.
        """
        with self._resources.store.write(is_lasting=False) as session:
            row = scopes.record_start(session, scope)
            if row is None:
                return refusals.record(self._resources.home, "names a scope that is not in the store")
            version = self._find_version(session, scope)
        if row.attempts > MAX_ATTEMPTS:
            if row.attempts == MAX_ATTEMPTS + 1:  # logged once, although the tick asks again and again
                log.error("event_given_up", scope=scope, seq=row.attempt_seq)
            send(self._resources, scope)
            return
        try:
            model = self.models.open(row, version)
            if version.name in self.models.serving.unlike - self._taken_back:
                model = self.models.open(row, self._take_back(scope, version.name))
            for answers in self._answers(model, row.last_seq):
                if not self._write(model, answers):
                    break  # the log has changed meanwhile; the next update learns it again
                send(self._resources, scope)
        except BaseException:
            self.models.drop(scope)
            raise
        self.models.save(model, snapshots.EVERY)

    def _find_version(self, session: Session, scope: str) -> versions.Usable:
        """Return the version that serves a scope, and log once why that is not the one that should."""
        settings = self._resources.settings
        found = versions.find_usable(session, self._resources.home, settings.model.base, scope, settings.scope)
        if found.problem and self._problems.get(scope) != found.problem:
            log.error("version_unusable", scope=scope, reason=found.problem)
        self._problems[scope] = found.problem
        return found

    def _take_back(self, scope: str, version: str) -> versions.Usable:
        """Let the version before serve instead of one that answers differently than when it was trained; return it."""
        settings = self._resources.settings
        self._taken_back.add(version)
        log.error("version_taken_back", scope=scope, version=version, reason=self.models.serving.problem)
        with self._resources.store.write() as session:
            versions.record_taken_back(session, version, self.models.serving.problem)
            return versions.find_usable(session, self._resources.home, settings.model.base, scope, settings.scope)

    def _answers(self, model: ScopeModel, newest: int) -> Iterator[Answers]:
        """Learn the log up to the event `newest`, and predict after each event for which that is due."""
        is_live = self._resources.settings.predict.every != model.scope
        with self._resources.store.read() as session:
            waiting = [entry for entry in predictions.find_unsettled(session, model.scope) if entry[1] >= model.began]
            # only a lossless replay predicts after earlier events than the newest, and judges what it predicts itself
            predicted = newest if is_live else predictions.find_last_predicted_seq(session, model.scope)
            answered = feedback.find_answers_after(session, model.scope, model.answered)
            unranked = find_unranked(session, model, newest)
            is_answered = predictions.has_prediction(session, model.scope, newest, model.version)
            first = events.find_after(session, model.scope, min(model.seq, newest - 1), CHUNK)
        for answer in answered:
            model.learn_feedback(answer)
        answers = Answers()
        find = partial(self._find_unjudged, model.scope, predicted)
        acted = UnjudgedByActs(partial(find, predictions.PERSON_OUTCOME), is_live)
        wanted = UnjudgedByWants(partial(find, predictions.UPCOMING_OUTCOME), is_live)
        for row in self._rows(model.scope, newest, first):
            heartbeat.beat()
            if row.seq > model.seq:
                waiting, settled = settle(waiting, row)
                answers.settled += _stored(settled)
                answers.by_acts += _stored(acted.judge(row, model.predictor.last_act, model.focused))
                answers.by_wants += _stored(wanted.judge(row, model.predictor.is_in_use))
                model.learn(row, unranked)
            is_due = not is_answered if row.seq == newest else row.seq > predicted
            if is_due and row.source != events.IMPORT:
                settings = self._resources.settings
                made = model.predict(row, settings.predict.top, settings.language, self._exclusion.now())
                answers.made.append(made)
                waiting.append((made, row.seq))
                acted.add(made, row)
                wanted.add(made, row)
            if len(answers.made) >= BATCH:
                yield answers
                answers = Answers()
        yield answers

    def _find_unjudged(self, scope: str, newest: int, outcome: tuple[str, ...]) -> Shown:
        with self._resources.store.read() as session:
            return predictions.find_unjudged(session, scope, newest, SHOWN, outcome)

    def _rows(self, scope: str, newest: int, first: list[LogEntry]) -> Iterator[LogEntry]:
        """Yield the events up to `newest` from the first ones on, which were read already."""
        rows = first
        while rows:
            yield from (row for row in rows if row.seq <= newest)
            if rows[-1].seq >= newest:
                return
            with self._resources.store.read() as session:
                rows = events.find_after(session, scope, rows[-1].seq, CHUNK)

    def _write(self, model: ScopeModel, answers: Answers) -> bool:
        """Store the answers, or return False if the log has changed since it was learned."""
        with self._resources.store.write() as session:
            if not scopes.record_progress(session, model.scope, model.generation):
                return False
            predictions.record_answers(session, answers)
            if answers.made:
                weights = model.predictor.weights()
                checkpoints.record_weights(session, model.scope, model.version, model.generation, model.seq, weights)
        return True


def _stored(changed: list[PredictionRow]) -> list[PredictionRow]:
    """Return the predictions that are stored already; the others are stored with their outcomes."""
    return [prediction for prediction in changed if prediction.id is not None]
