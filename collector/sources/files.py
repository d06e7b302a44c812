"""A file that was accessed, told alike by all sources, so that one act which two of them see is found to be one."""

import os
from datetime import datetime

from memo.events import Event, Operation
from memo.grammar import clean
from memo.paths import Home


def accessed(path: str, at: datetime, app: str = "") -> Event:
    """The event of a file by its whole path, and the app that opened it where that is known."""
    folder, name = os.path.split(path)
    return Event(at, Operation.FILE_ACCESS, clean(name), app, clean(folder))


def is_ours(path: str, home: Home) -> bool:
    """Whether a path lies in MEMO's own folder."""
    return any(os.path.commonpath((path, root)) == root for root in (str(home.root), os.path.realpath(home.root)))
