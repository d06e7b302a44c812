"""The streams that this process has read, each under the version that serves its scope now."""

from pathlib import Path

from db.intake import events
from db.models import ScopeRow, VersionRow
from db.prediction import checkpoints, predictions
from memo.core.bounded import BoundedDict
from memo.core.events import Event
from worker.prediction import snapshots
from worker.prediction.scope_model import LEARNED, ScopeModel
from worker.predictors.serving import BUILTIN, Serving
from worker.resources import Resources

HELD = 8
"""ScopeModels in memory; the one that was asked longest ago is kept on the disk alone."""
REREAD = 128
"""Events that a language model reads anew when it takes over: a context of its begins with as many."""


class ScopeModels:
    """Opens them: from memory, from a snapshot, or anew from the log."""

    def __init__(self, opened: Resources, serving: Serving) -> None:
        self._opened, self._size = opened, opened.settings.window.size
        self.serving = serving
        self.held: BoundedDict[str, ScopeModel] = BoundedDict(HELD)

    def of(self, row: ScopeRow, version: VersionRow | None) -> ScopeModel:
        """The scope's stream. Another version takes it over as it is; a past that has changed is read anew."""
        name, folder = (version.id, Path(version.path)) if version else (BUILTIN, None)
        held = self.held.get(row.name) or snapshots.load(self._opened, row.name)
        if held is None or held.outgrown or held.generation != row.generation:
            predictor = self.serving.predictor(name, folder, self._weights(row, name, held))
            held = ScopeModel(row.name, name, row.generation, predictor, self._size, self._begin(row))
        elif row.name not in self.held or held.version != name:
            weights, held.version = self._weights(row, name, held), name
            held.predictor.resume(self.serving.reader(name, folder), weights, self._latest(held))
        self._hold(held)
        return held

    def _begin(self, row: ScopeRow) -> int:
        """The event after which a new stream begins."""
        with self._opened.store.read() as session:
            is_lossless = self._opened.settings.predict.every == row.name
            newest = predictions.find_last_predicted_seq(session, row.name) if is_lossless else row.last_seq
            return max(0, events.find_first_seq(session, row.name) - 1, newest - LEARNED)

    def _weights(self, row: ScopeRow, version: str, held: ScopeModel | None) -> dict[str, object] | None:
        """Those of the version's checkpoint, else those in force; none where they were forgotten."""
        with self._opened.store.read() as session:
            checkpoint = checkpoints.find_weights(session, row.name, version, row.generation)
            goes_on = held is not None and checkpoints.has_weights(session, row.name, held.version)
        if checkpoint:
            return checkpoint.weights
        return held.predictor.weights() if held and goes_on else None

    def _latest(self, stream: ScopeModel) -> list[Event]:
        with self._opened.store.read() as session:
            begin = max(stream.began, stream.seq - REREAD)
            rows = events.find_after(session, stream.scope, begin, REREAD)
            return [events.as_event(row) for row in rows if row.seq <= stream.seq]

    def _hold(self, stream: ScopeModel) -> None:
        if stream.scope not in self.held and len(self.held) == HELD:
            self.save(next(iter(self.held.values())))
        self.held[stream.scope] = stream
        self.serving.keep_only({one.version for one in self.held.values()})

    def drop(self, scope: str) -> None:
        """Read the log anew: a stream may have learned what was not written."""
        self.held.pop(scope, None)

    def save(self, stream: ScopeModel, after: int = 1) -> None:
        """Keep a stream on the disk, where it has learned so many events since."""
        if stream.seq - stream.saved >= after:
            snapshots.save(self._opened, stream)

    def close(self) -> None:
        """Keep all."""
        for stream in self.held.values():
            self.save(stream)
