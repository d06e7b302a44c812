"""Find the app of a window or a process, so that the events of all sources call it by one name."""

import os
import re
import shutil
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from memo.core.grammar import clean
from memo.desktop.desktop_entries import Entry, default_folders, read_all

RUNS_OTHERS = re.compile(
    r"(python|perl|ruby|node|gjs|lua|php|java|mono|electron|tclsh|wish|guile|wine(64)?(-preloader)?"
    r"|(ba|da|z|k|fi)?sh|snap|bwrap)[\d.]*"
)  # programs that run others; the app is named by their arguments

_Index = dict[str, list[Entry]]


class Apps:
    """The installed apps, read again whenever one of their folders has changed."""

    def __init__(self, folders: Sequence[Path] | None = None) -> None:
        self.folders = list(default_folders() if folders is None else folders)
        self._watched, self._stamps = self.folders, list[int]()
        self._ids: dict[str, Entry] = {}
        self._classes: dict[str, Entry] = {}
        self._paths, self._names, self._script_folders = _Index(), _Index(), _Index()

    def of_window(self, names: Sequence[str], executable: str = "") -> str:
        """Return the app of a window: by its class or app id, else by its program, else the class or program itself.

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
        """Return the app of a process by its executable and, if given, its command line; empty for no app."""
        self._refresh()
        executable = executable.removesuffix(" (deleted)")  # it was upgraded while it runs
        name, given = os.path.basename(executable), frozenset(arguments[1:])
        if RUNS_OTHERS.fullmatch(name):
            script = next((word for word in arguments[1:] if not word.startswith("-")), "")
            by_script = self._paths.get(os.path.realpath(script), []) if os.path.isabs(script) else []
            by_arguments = [entry for entry in self._paths.get(executable, []) if entry.arguments]
            return _best_match(by_script or [entry for entry in by_arguments if entry.arguments <= given], given)
        by_folder = self._script_folders.get(os.path.dirname(executable), [])
        return _best_match(self._paths.get(executable) or self._names.get(name.lower()) or by_folder, given)

    def of_file(self, program: str, media_type: str) -> str:
        """Return the app in which a program opens a file; of several apps with this program, the one for the type."""
        self._refresh()
        path = os.path.realpath(shutil.which(program) or f"/{program}")
        for_type = [entry for entry in self._paths.get(path, []) if media_type in entry.types]
        return _simplest(for_type).id if for_type else self.of_process(path)

    def entry(self, app: str) -> Entry | None:
        """Return the entry of an app that is shown in menus, or None."""
        self._refresh()
        return self._ids.get(app)

    def called(self, name: str) -> set[str]:
        """Return the ids of the apps with this id, name in menus, program or window class, in any case."""
        self._refresh()
        return {
            entry.id
            for entry in {*self._ids.values(), *self._classes.values()}
            if name.strip().casefold() in {known.casefold() for known in _all_names(entry)}
        }

    def _refresh(self) -> None:
        stamps = [_modified_ns(folder) for folder in self._watched]
        if stamps != self._stamps:
            entries, self._watched = read_all(self.folders)
            self._stamps = [_modified_ns(folder) for folder in self._watched]
            self._index(entries)

    def _index(self, entries: Sequence[Entry]) -> None:
        self._ids = {entry.id: entry for entry in entries if entry.shown}
        self._classes = {entry.window_class.lower(): entry for entry in reversed(entries) if entry.window_class}
        for entry in entries:
            self._classes.setdefault(entry.id.lower(), entry)
        for entry in entries:  # org.gnome.gedit calls its window gedit
            self._classes.setdefault(entry.id.lower().rsplit(".", 1)[-1], entry)
        paths, names, script_folders = (defaultdict[str, list[Entry]](list) for _ in range(3))
        search_path = {os.path.realpath(folder) for folder in os.get_exec_path()}
        for entry in (entry for entry in entries if entry.shown and entry.program):
            if not RUNS_OTHERS.fullmatch(name := os.path.basename(entry.program).lower()):
                names[name].append(entry)
            if path := entry.path:
                paths[path].append(entry)
                if (folder := os.path.dirname(path)) not in search_path and _is_script(path):
                    script_folders[folder].append(entry)  # the script runs a program of its own folder
        self._paths, self._names, self._script_folders = paths, names, script_folders


def find_apps() -> Apps:
    """Return this user's apps; all who ask in one process share what was read."""
    return _in_folders(tuple(default_folders()))


@lru_cache(maxsize=1)
def _in_folders(folders: tuple[Path, ...]) -> Apps:
    return Apps(folders)


def _all_names(entry: Entry) -> set[str]:
    program = os.path.basename(entry.program)
    own = {entry.id, entry.id.rsplit(".", 1)[-1], entry.window_class, "" if is_interpreter(program) else program}
    return (own | entry.names) - {""}


def is_interpreter(program: str) -> bool:
    """Return whether a program of this name runs others, so that it is no app itself."""
    return RUNS_OTHERS.fullmatch(program.lower()) is not None


def _simplest(entries: Sequence[Entry]) -> Entry:
    return min(entries, key=lambda entry: len(entry.arguments))


def _best_match(entries: Sequence[Entry], given: frozenset[str]) -> str:
    """Return the id of the entry with the most arguments of those given, or empty if there are no entries."""
    fitting = [entry for entry in entries if entry.arguments <= given]
    if fitting:
        return max(fitting, key=lambda entry: len(entry.arguments)).id
    return _simplest(entries).id if entries else ""


def _is_script(path: str) -> bool:
    with suppress(OSError), open(path, "rb") as file:
        return file.read(2) == b"#!"
    return False


def _modified_ns(folder: Path) -> int:
    with suppress(OSError):
        return folder.stat().st_mtime_ns
    return 0
