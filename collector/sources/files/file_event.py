"""Events of used files, alike for all sources, so that a use that two of them report counts once."""

import os
from collections.abc import Callable
from datetime import datetime

from memo.core.events import Event, Operation
from memo.core.grammar import clean
from memo.core.paths import Home


def file_event(operation: Operation, path: str, at: datetime, app: str = "") -> Event:
    """Return the event of an opened or saved file with an absolute path, and the app that opened it if known."""
    folder, name = os.path.split(path)
    return Event(at, operation, clean(name), app, clean(folder))


def is_below(home: Home) -> Callable[[str], bool]:
    """Return a function that tells whether a path lies in MEMO's own folder."""
    roots = tuple({f"{home.root}/", f"{os.path.realpath(home.root)}/"})
    return lambda path: f"{path}/".startswith(roots)
