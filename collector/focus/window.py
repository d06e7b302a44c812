"""Windows as desktops describe them, named alike by all sources."""

from collections.abc import Sequence

from collector.focus.tracker import Window
from collector.launch import proc
from memo.core.grammar import clean
from memo.desktop.apps import Apps


def make_window(apps: Apps, key: str, names: Sequence[str], title: str, pid: int = 0) -> Window:
    """Return a window; `names` are its app id or the parts of its class, and `pid` is 0 if unknown."""
    process = proc.read(pid) if pid > 0 else None
    executable = clean(process.executable) if process else ""
    return Window(key, title, apps.of_window(names, executable), executable)
