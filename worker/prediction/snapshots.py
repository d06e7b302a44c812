"""What was learned of a scope, kept over a restart of the worker: to learn a long log anew takes seconds.

A snapshot is a pickle in MEMO_HOME, which its owner alone can read and write; one that another version of our code
wrote, or of a past that has changed, is passed over.
"""

import gc
import hashlib
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from db.intake import events, scopes
from memo.core.files import open_private
from memo.core.logs import get_logger
from memo.core.paths import Home
from worker.prediction.scope_model import ScopeModel
from worker.predictors.history import history_features
from worker.resources import Resources

EVERY = 10_000
"""Events after which a stream is kept anew; it is kept too when its worker ends."""

log = get_logger(__name__)


def save(opened: Resources, stream: ScopeModel) -> None:
    """Keep what a stream has learned, where that is still in the store: what was forgotten must not come back."""
    if not _is_true(opened, stream):
        return
    path = _path(opened.home, stream.scope)
    fresh = path.with_suffix(".new")
    with open(fresh, "wb", opener=open_private) as file:
        pickle.dump((_code(), stream), file, protocol=5)
    fresh.replace(path)
    stream.saved = stream.seq
    if not _is_true(opened, stream):  # it changed meanwhile, and who changed it may have cleared the folder before
        path.unlink(missing_ok=True)


def load(opened: Resources, scope: str) -> ScopeModel | None:
    """The stream of a scope as it was kept, without a language model; None where there is none that is true."""
    try:
        with open(_path(opened.home, scope), "rb") as file, _no_garbage():
            code, stream = pickle.load(file)
    except FileNotFoundError:
        return None
    except Exception as error:  # a damaged pickle raises anything
        log.warning("a snapshot can't be read; the log is learned anew", scope=scope, reason=type(error).__name__)
        return None
    fits = code == _code() and isinstance(stream, ScopeModel) and stream.scope == scope and _is_true(opened, stream)
    return stream if fits else None


def _is_true(opened: Resources, stream: ScopeModel) -> bool:
    """Whether the store still holds all that the stream has learned, in the same order."""
    with opened.store.read() as session:
        row = scopes.find_scope(session, stream.scope)
        first = events.find_first_seq(session, stream.scope)
    return row is not None and row.generation == stream.generation and 0 < first <= stream.began + 1


def _path(home: Home, scope: str) -> Path:
    return home.learned / f"{hashlib.sha256(scope.encode()).hexdigest()[:16]}.pickle"


@cache
def _code() -> str:
    """A digest of what wrote it: Python, numpy and our predictors."""
    digest = hashlib.sha256(f"{sys.version} {np.__version__}".encode())
    for path in sorted(Path(history_features.__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _no_garbage() -> Iterator[None]:
    """A search for garbage among so many new objects takes longer than to read them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
