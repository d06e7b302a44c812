"""A window as a desktop tells of it, made one that all sources call alike."""

from collections.abc import Sequence

from collector.focus import Window
from collector.sources import proc
from memo.apps import Apps
from memo.grammar import clean


def window_of(apps: Apps, key: str, names: Sequence[str], title: str, pid: int = 0) -> Window:
    """`names` are the app id or the parts of the class; a `pid` of 0 is one that the desktop does not tell."""
    process = proc.read(pid) if pid > 0 else None
    executable = clean(process.executable.removesuffix(" (deleted)")) if process else ""
    return Window(key, title, apps.of_window(names, executable), executable)
