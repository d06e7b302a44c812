"""Which app a window or a process belongs to: one name for it in the events of all sources."""

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from memo.core.grammar import clean
from memo.desktop.desktop_entries import Entry, default_folders, read_all

RUNS_OTHERS = re.compile(
    r"(python|perl|ruby|node|gjs|lua|php|java|mono|electron|tclsh|wish|guile|wine(64)?(-preloader)?"
    r"|(ba|da|z|k|fi)?sh|snap|bwrap)[\d.]*"
)
"""Programs that run others: the app is what they are given."""

_Index = dict[str, list[Entry]]


class Apps:
    """The installed apps, read anew when a folder of them has changed."""

    def __init__(self, folders: Sequence[Path] | None = None) -> None:
        self.folders = list(default_folders() if folders is None else folders)
        self._seen, self._stamps = self.folders, list[int]()
        self._ids: dict[str, Entry] = {}
        self._classes: dict[str, Entry] = {}
        self._paths, self._names, self._beside = _Index(), _Index(), _Index()

    def of_window(self, names: Sequence[str], executable: str = "") -> str:
        """The app of a window by its class or app id, else by its program; else the class or the program's name.

        `names` are the parts of WM_CLASS, or the app id.
        """
        self._refresh()
        keys = [name.strip().lower().replace(" ", "-") for name in names]
        for key in keys:
            if found := self._classes.get(key):
                return found.id
        for key in keys:
            if entries := self._names.get(key):
                return _simplest(entries).id
        given = [name for name in names if name.strip()]
        return self.of_process(executable) or clean(given[-1].strip() if given else os.path.basename(executable))

    def of_process(self, executable: str, arguments: Sequence[str] = ()) -> str:
        """The app of a process by its executable, and its whole command line where given; empty for no app."""
        self._refresh()
        executable = executable.removesuffix(" (deleted)")  # it was upgraded since
        name, given = os.path.basename(executable), frozenset(arguments[1:])
        if RUNS_OTHERS.fullmatch(name):
            script = next((word for word in arguments[1:] if not word.startswith("-")), "")
            entries = self._paths.get(os.path.realpath(script), []) if os.path.isabs(script) else []
            told = [entry for entry in self._paths.get(executable, []) if entry.arguments and entry.arguments <= given]
            return _fittest(entries or told, given)
        beside = self._beside.get(os.path.dirname(executable), [])
        return _fittest(self._paths.get(executable) or self._names.get(name.lower()) or beside, given)

    def entry(self, app: str) -> Entry | None:
        """The entry of an app that stands in menus."""
        self._refresh()
        return self._ids.get(app)

    def called(self, name: str) -> set[str]:
        """The apps that a person calls so: by the id, the name in menus, the program, or the class of the windows."""
        self._refresh()
        return {
            entry.id
            for entry in {*self._ids.values(), *self._classes.values()}
            if name.strip().casefold() in {called.casefold() for called in _called(entry)}
        }

    def _refresh(self) -> None:
        stamps = [_changed(folder) for folder in self._seen]
        if stamps != self._stamps:
            entries, self._seen = read_all(self.folders)
            self._stamps = [_changed(folder) for folder in self._seen]
            self._index(entries)

    def _index(self, entries: Sequence[Entry]) -> None:
        self._ids = {entry.id: entry for entry in entries if entry.shown}
        self._classes = {entry.window_class.lower(): entry for entry in reversed(entries) if entry.window_class}
        for entry in entries:
            self._classes.setdefault(entry.id.lower(), entry)
        for entry in entries:  # org.gnome.gedit calls its window gedit
            self._classes.setdefault(entry.id.lower().rsplit(".", 1)[-1], entry)
        paths, names, beside = _empty(), _empty(), _empty()
        searched = {os.path.realpath(folder) for folder in os.get_exec_path()}
        for entry in (entry for entry in entries if entry.shown and entry.program):
            if not RUNS_OTHERS.fullmatch(name := os.path.basename(entry.program).lower()):
                names[name].append(entry)
            if path := entry.path:
                paths[path].append(entry)
                if (folder := os.path.dirname(path)) not in searched and _is_script(path):
                    beside[folder].append(entry)  # it runs the program that lies beside it
        self._paths, self._names, self._beside = paths, names, beside


def _called(entry: Entry) -> set[str]:
    program = os.path.basename(entry.program)
    own = {entry.id, entry.id.rsplit(".", 1)[-1], entry.window_class, "" if is_interpreter(program) else program}
    return (own | entry.names) - {""}


def is_interpreter(program: str) -> bool:
    """Whether a program of this name runs others, so that it names no app."""
    return RUNS_OTHERS.fullmatch(program.lower()) is not None


def _empty() -> defaultdict[str, list[Entry]]:
    return defaultdict(list)


def _simplest(entries: Sequence[Entry]) -> Entry:
    return min(entries, key=lambda entry: len(entry.arguments))


def _fittest(entries: Sequence[Entry], given: frozenset[str]) -> str:
    """Of entries that run one program, the one with most of what this process was given."""
    fitting = [entry for entry in entries if entry.arguments <= given]
    if fitting:
        return max(fitting, key=lambda entry: len(entry.arguments)).id
    return _simplest(entries).id if entries else ""


def _is_script(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
