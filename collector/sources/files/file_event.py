"""Events of accessed files, alike for all sources, so that an access that two of them report counts once."""

import os
from collections.abc import Callable
from datetime import datetime

from memo.core.events import Event, Operation
from memo.core.grammar import clean
from memo.core.paths import Home


def file_access(path: str, at: datetime, app: str = "") -> Event:
    """Return the event for an absolute path, and the app that opened it if known."""
    folder, name = os.path.split(path)
    return Event(at, Operation.FILE_ACCESS, clean(name), app, clean(folder))


def is_below(home: Home) -> Callable[[str], bool]:
    """Return a function that tells whether a path lies in MEMO's own folder."""
    roots = tuple({f"{home.root}/", f"{os.path.realpath(home.root)}/"})
    return lambda path: f"{path}/".startswith(roots)
