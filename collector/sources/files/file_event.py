"""A file that was accessed, told alike by all sources, so that one act which two of them see is found to be one."""

import os
from collections.abc import Callable
from datetime import datetime

from memo.core.events import Event, Operation
from memo.core.grammar import clean
from memo.core.paths import Home


def accessed(path: str, at: datetime, app: str = "") -> Event:
    """The event of a file by its whole path, and the app that opened it where that is known."""
    folder, name = os.path.split(path)
    return Event(at, Operation.FILE_ACCESS, clean(name), app, clean(folder))


def ours(home: Home) -> Callable[[str], bool]:
    """Tells whether a path lies in MEMO's own folder."""
    roots = tuple({f"{home.root}/", f"{os.path.realpath(home.root)}/"})
    return lambda path: f"{path}/".startswith(roots)
