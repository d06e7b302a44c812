"""The models of the scopes that this process has read, each under the version that serves its scope now."""

from pathlib import Path

from db.intake import events
from db.intake.events import LEARNED
from db.models import ScopeRow
from db.prediction import checkpoints, feedback, predictions
from db.prediction.versions import Usable
from memo.core.bounded import BoundedDict
from memo.core.errors import MemoError
from memo.core.events import Event
from memo.core.steps import Progress, with_progress
from memo.stack import heartbeat
from worker.prediction import snapshots
from worker.prediction.scope_model import ScopeModel, find_unranked
from worker.predictors.serving import Serving
from worker.resources import StoreResources

HELD = 8  # models in memory; the one used longest ago is kept on the disk only
READING = 2  # models whose language model keeps its context, most of a model's memory; the others read again
REREAD = 128  # events that a language model reads again when it takes over; its context begins with as many


class ScopeModels:
    """Opens models: from memory, from a snapshot, or by learning the log again."""

    def __init__(self, resources: StoreResources, serving: Serving, held: int = HELD, learned: int = LEARNED) -> None:
        self._resources, self._size = resources, resources.settings.window.size
        self._most, self._learned = held, learned
        self.serving = serving
        self.held: BoundedDict[str, ScopeModel] = BoundedDict(held)

    def open(self, row: ScopeRow, version: Usable) -> ScopeModel:
        """Return the scope's model under a version, which takes it over as it is; begin again if the log changed."""
        name, folder, _ = version
        held = self.held.get(row.name)
        if held is None or self._is_outdated(held, row) or held.version != name or held.rests:
            with heartbeat.loading():
                held = self._load(row, name, folder, row.last_seq)
        self._hold(held)
        return held

    def read(self, row: ScopeRow, version: Usable, newest: int, progress: Progress) -> tuple[ScopeModel, int]:
        """Return the model as of the event `newest`, and how many events were learned for that; write nothing.

        This is for a process that only reads. Raises MemoError if the log changes meanwhile.
        """
        model = self._load(row, version.name, version.folder, newest)
        with self._resources.store.read() as session:
            answers = feedback.find_answers_after(session, row.name, model.answered)
            rows = events.find_up_to(session, row.name, model.seq, newest)
            unranked = find_unranked(session, model, newest)
        for answer in answers:
            model.learn_feedback(answer)
        for entry in with_progress(rows, len(rows), progress):
            model.learn(entry, unranked)
        if not snapshots.is_current(self._resources, model):
            raise MemoError("Events were deleted or inserted meanwhile; ask again.")
        return model, len(rows)

    def _is_outdated(self, held: ScopeModel, row: ScopeRow) -> bool:
        return held.outgrown(self._learned) or held.generation != row.generation

    def _load(self, row: ScopeRow, name: str, folder: Path | None, newest: int) -> ScopeModel:
        """Return a model under a version, as of the event `newest` or earlier.

        It is the model in memory or of a snapshot, or a new one if that is outdated, or if to begin again is shorter.
        """
        held = self.held.get(row.name) or snapshots.load(self._resources, row.name, newest)
        begin = self._begin(row, newest)
        if held is None or self._is_outdated(held, row) or not begin <= held.seq <= newest:
            predictor = self.serving.predictor(name, folder, self._weights(row, name, held))
            held = ScopeModel(row.name, name, row.generation, predictor, self._size, begin)
        elif row.name not in self.held or held.version != name or held.rests:
            weights, held.version, held.rests = self._weights(row, name, held), name, False
            held.predictor.resume(self.serving.reader(name, folder), weights, self._latest(held))
            if self._find_last_predicted(row.name) == held.seq:
                held.rank(1, lambda _: False)  # the ranking that awaits its outcome: a snapshot does not have it
        return held

    def _begin(self, row: ScopeRow, newest: int) -> int:
        """Return the event after which a new model begins that is to learn the event `newest`."""
        if self._resources.settings.predict.every == row.name:  # each event is predicted
            newest = min(newest, self._find_last_predicted(row.name))
        with self._resources.store.read() as session:
            return events.find_begin(session, row.name, newest, self._learned)

    def _find_last_predicted(self, scope: str) -> int:
        with self._resources.store.read() as session:
            return predictions.find_last_predicted_seq(session, scope)

    def _weights(self, row: ScopeRow, version: str, held: ScopeModel | None) -> dict[str, object] | None:
        """Return the weights of the version's checkpoint, else those in force; None if they were forgotten."""
        with self._resources.store.read() as session:
            checkpoint = checkpoints.find_weights(session, row.name, version, row.generation)
            goes_on = held is not None and checkpoints.has_weights(session, row.name, held.version)
        if checkpoint:
            return checkpoint.weights
        return held.predictor.weights() if held and goes_on else None

    def _latest(self, model: ScopeModel) -> list[Event]:
        with self._resources.store.read() as session:
            begin = max(model.began, events.find_begin(session, model.scope, model.seq, REREAD))
            rows = events.find_after(session, model.scope, begin, REREAD)
            return [events.as_event(row) for row in rows if row.seq <= model.seq]

    def _hold(self, model: ScopeModel) -> None:
        if model.scope not in self.held and len(self.held) == self._most:
            self.save(next(iter(self.held.values())))
        self.held[model.scope] = model
        for other in list(self.held.values())[:-READING]:
            other.rest()
        self.serving.keep_only({held.version for held in self.held.values() if not held.rests})

    def drop(self, scope: str) -> None:
        """Forget a model, which may have learned what was not written: the next one learns the log again."""
        self.held.pop(scope, None)

    def save(self, model: ScopeModel, after: int = 1) -> None:
        """Write a snapshot of a model that learned `after` events since the last one, or whose snapshots are gone."""
        if model.seq - model.saved >= after or snapshots.is_gone(self._resources.home, model):
            snapshots.save(self._resources, model)

    def close(self) -> None:
        """Write a snapshot of each model."""
        for model in self.held.values():
            self.save(model)
