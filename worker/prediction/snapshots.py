"""Snapshots: what was learned of a scope, kept over a restart of the worker, for learning a long log takes seconds.

A snapshot is a file in MEMO_HOME/learned that only its owner can read:

- a line with the SHA-256 of all that follows,
- a line of JSON: format, schema, scope, version, generation and the last event learned,
- the state in the safetensors format: arrays by path, and all other values as one JSON text.

Reading one runs no code of it. A snapshot that is damaged, of another format or schema, or of a log that has changed
since is refused, and the log is learned again. A few earlier ones are kept, from which an earlier prediction can be
explained.
"""

import gc
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from db.intake import events, scopes
from memo.core.errors import MemoError
from memo.core.events import Event, Operation
from memo.core.files import write_atomically
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.predictions import Answer
from worker.prediction.scope_model import ScopeModel
from worker.predictors.history.tables import Array, State
from worker.predictors.mixed import MixedPredictor
from worker.resources import StoreResources

EVERY = 2_500  # events between two snapshots of a scope; there is one when the worker ends, too
KEPT = 4  # snapshots of a scope
FORMAT = 5  # to be raised whenever the same state means something else
TEXT = "json"  # the array that holds everything that is no array

log = get_logger(__name__)


class SnapshotRefused(MemoError):
    """The snapshot cannot be used."""


def save(resources: StoreResources, model: ScopeModel) -> None:
    """Write a snapshot, unless the log has changed: deleted events must not come back."""
    if not is_current(resources, model):
        return
    path = _path(resources.home, model, model.seq)
    write_atomically(path, encode(model))
    model.saved = model.seq
    if not is_current(resources, model):  # it changed meanwhile, perhaps after the folder had been cleared
        path.unlink(missing_ok=True)
    for gone in _superfluous(resources.home, model):
        gone.unlink(missing_ok=True)


def is_gone(home: Home, model: ScopeModel) -> bool:
    """Return whether a model had a snapshot and its scope has none any more: pruning and forget delete them."""
    is_kept = model.saved == model.began or _path(home, model, model.saved).exists()
    return not is_kept and not _paths(home, model.scope)


def load(resources: StoreResources, scope: str, newest: int) -> ScopeModel | None:
    """Return the model of a scope as of the event `newest` or earlier, without its language model.

    It is that of the latest such snapshot that can be used; None if there is none.
    """
    for old in resources.home.learned.glob("*.pickle"):  # of earlier versions; reading one would run its code
        old.unlink(missing_ok=True)
    for path in reversed(_paths(resources.home, scope)):
        if _order(path)[1] <= newest and (model := _load(resources, scope, path)):
            return model
    return None


def _load(resources: StoreResources, scope: str, path: Path) -> ScopeModel | None:
    try:
        model = decode(path.read_bytes(), scope, resources.settings.window.size)
    except FileNotFoundError:
        return None
    except (SnapshotRefused, OSError) as error:
        log.warning("snapshot_refused", scope=scope, reason=str(error))
        return None
    return model if is_current(resources, model) else None


def encode(model: ScopeModel) -> bytes:
    """Return the snapshot of a model."""
    state = model.state()
    header = {"format": FORMAT, "schema": schema()}
    header |= {name: state[name] for name in ("scope", "version", "generation", "seq")}
    content = json.dumps(header).encode() + b"\n" + _pack(state)
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def decode(data: bytes, scope: str, size: int) -> ScopeModel:
    """Return the model that a snapshot holds, with a window of `size` events. Raises SnapshotRefused."""
    checksum, _, content = data.partition(b"\n")
    if hashlib.sha256(content).hexdigest().encode() != checksum:
        raise SnapshotRefused("its checksum does not match")
    header, _, packed = content.partition(b"\n")
    try:
        with _without_garbage_collection():
            _check(json.loads(header), scope)
            model = ScopeModel.from_state(_unpack(packed), size)
    except SnapshotRefused:
        raise
    except Exception as error:  # a malformed state raises anything
        raise SnapshotRefused(f"its state is malformed ({type(error).__name__}: {error})") from error
    return model


def _check(header: dict[str, Any], scope: str) -> None:
    for name, expected in {"format": FORMAT, "schema": schema(), "scope": scope}.items():
        if header[name] != expected:
            raise SnapshotRefused(f"its {name} is {header[name]}, not {expected}")


@cache
def schema() -> str:
    """Return a fingerprint of the names and types of a state, and of how this Python hashes the keys in it."""
    model = ScopeModel("", "", 0, MixedPredictor(), 1)
    event = Event(datetime(2026, 1, 1, tzinfo=UTC), Operation.PROCESS_START, "app")
    for operation in (Operation.PROCESS_START, Operation.WEB_VISIT, Operation.WEB_VISIT):
        model.predictor.learn(replace(event, operation=operation))
    model.predictor.feedback.learn(event.action, event.action, Answer.NEVER)
    model._window = [(event.at, 1, event)]
    return hashlib.sha256(json.dumps([_shape(model.state()), hash((1, 2))]).encode()).hexdigest()[:16]


def _shape(value: Any) -> Any:
    """Return the names and types of a state; a list is described by its elements."""
    if isinstance(value, dict):
        return {name: _shape(entry) for name, entry in sorted(value.items())}
    if isinstance(value, list):
        return [_shape(entry) for entry in value]
    return f"{value.dtype}:{value.ndim}" if isinstance(value, np.ndarray) else type(value).__name__


def _pack(state: State) -> bytes:
    arrays: dict[str, Array] = {}
    text = json.dumps(_split(state, "", arrays), ensure_ascii=False).encode("utf-8", "surrogatepass")
    return save_arrays({**arrays, TEXT: np.frombuffer(text, np.uint8)})


def _split(state: State, path: str, arrays: dict[str, Array]) -> State:
    """Return a state without its arrays, which move to `arrays`, by their path."""
    plain = {}
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            arrays[path + name] = np.ascontiguousarray(value)  # safetensors takes the bytes as they lie
        else:
            plain[name] = _split(value, f"{path}{name}/", arrays) if isinstance(value, dict) else value
    return plain


def _unpack(packed: bytes) -> State:
    arrays = load_arrays(packed)
    state: State = json.loads(arrays.pop(TEXT).tobytes())
    for path, array in arrays.items():
        *parents, name = path.split("/")
        place = state
        for parent in parents:
            place = place[parent]
        place[name] = array
    return state


def is_current(resources: StoreResources, model: ScopeModel) -> bool:
    """Return whether the log still holds everything that the model has learned, in the same order."""
    with resources.store.read() as session:
        row = scopes.find_scope(session, model.scope)
        first = events.find_first_seq(session, model.scope)
    return row is not None and row.generation == model.generation and 0 < first <= model.began + 1


def _superfluous(home: Home, model: ScopeModel) -> list[Path]:
    """Return the snapshots that are not to be kept.

    These are the oldest, those soon after another, except the latest, and those of another generation, which a worker
    that was killed may have written just after a forget.
    """
    found = _paths(home, model.scope)
    paths = [path for path in found if _order(path)[0] == model.generation]
    kept = paths[:1]
    for path in paths[1:-1]:
        if _order(path)[1] - _order(kept[-1])[1] >= EVERY:
            kept.append(path)
    kept = [*kept[1 - KEPT :], *paths[-1:]]
    return [path for path in found if path not in kept]


def _paths(home: Home, scope: str) -> list[Path]:
    """Return the snapshots of a scope, oldest first."""
    return sorted(home.learned.glob(f"{_prefix(scope)}*.snapshot"), key=_order)


def _path(home: Home, model: ScopeModel, seq: int) -> Path:
    return home.learned / f"{_prefix(model.scope)}-{model.generation}-{seq}.snapshot"


def _prefix(scope: str) -> str:
    return hashlib.sha256(scope.encode()).hexdigest()[:16]


def _order(path: Path) -> tuple[int, int]:
    """Return generation and last event of a snapshot by its name; before all of them for another name, as of a copy."""
    named = re.fullmatch(r"[0-9a-f]+-(\d+)-(\d+)", path.stem, re.ASCII)
    return (int(named[1]), int(named[2])) if named else (-1, 0)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Create many objects without the collector, which would walk them again and again and take longer than reading."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
