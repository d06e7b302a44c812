"""Events of used files, alike for all sources, so that a use that two of them report counts once."""

import os
from collections.abc import Callable
from datetime import datetime

from memo.core.events import Event, Operation
from memo.core.grammar import clean
from memo.core.settings import Settings


def file_event(operation: Operation, path: str, at: datetime, app: str = "") -> Event:
    """Return the event of an opened or saved file with an absolute path, and the app that opened it if known."""
    folder, name = os.path.split(path)
    return Event(at, operation, clean(name), app, clean(folder))


def is_below(*folders: str) -> Callable[[str], bool]:
    """Return a function that tells whether a path lies in one of these folders, given by name or through a link."""
    roots = tuple({f"{name}/" for folder in folders for name in (folder, os.path.realpath(folder))})
    return lambda path: f"{path}/".startswith(roots)


def find_watched(settings: Settings) -> set[str]:
    """Return the absolute paths of the folders that are chosen to be watched."""
    return {os.path.abspath(os.path.expanduser(folder)) for folder in settings.sources.folders}
