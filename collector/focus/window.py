"""A window as a desktop tells of it, made one that all sources call alike."""

from collections.abc import Sequence

from collector.focus.tracker import Window
from collector.launch import proc
from memo.core.grammar import clean
from memo.desktop.apps import Apps


def window_of(apps: Apps, key: str, names: Sequence[str], title: str, pid: int = 0) -> Window:
    """`names` are the app id or the parts of the class; a `pid` of 0 is one that the desktop does not tell."""
    process = proc.read(pid) if pid > 0 else None
    executable = clean(process.executable.removesuffix(" (deleted)")) if process else ""
    return Window(key, title, apps.of_window(names, executable), executable)
