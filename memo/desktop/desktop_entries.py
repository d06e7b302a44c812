"""Desktop entries: the installed apps, read from .desktop files.

Source of the keys and of the order of folders: Desktop Entry Specification, freedesktop.org.
"""

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from configparser import ConfigParser, Error
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from memo.core.grammar import clean

MAX_BYTES = 1_000_000  # a larger file is not a desktop entry
_GROUP = "Desktop Entry"
_ASSIGNMENT = re.compile(r"\w+=.*", re.S)


@dataclass(frozen=True, slots=True)
class Entry:
    """An installed app."""

    id: str  # name of its file without the suffix
    window_class: str  # StartupWMClass; empty if the entry has none
    program: str  # as the entry names it
    arguments: frozenset[str]  # that the program always gets
    shown: bool  # in menus; a helper of other programs is not
    file: Path
    line: str  # the key Exec as written; `memo.desktop.exec_line` parses it
    terminal: bool  # whether it runs in a terminal
    types: frozenset[str]  # media types of the files that it opens

    @property
    def path(self) -> str:
        """The program's file, with links resolved; empty if it is not on this machine."""
        found = shutil.which(self.program)
        return os.path.realpath(found) if found else ""

    @property
    def names(self) -> set[str]:
        """Its names in menus in all languages, read from the file each time."""
        keys = _keys(self.file)
        return {value for key, value in keys.items() if key.partition("[")[0] == "name"}

    @property
    def icon(self) -> str:
        """Its icon, by name or path, read from the file each time; empty if it has none."""
        return _keys(self.file).get("icon", "")


def default_folders() -> list[Path]:
    """Return the folders of entries by rank: the user's own, the system's, flatpak's and snap's."""
    own = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    system = (os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    exported = (own / "flatpak/exports/share", Path("/var/lib/flatpak/exports/share"))
    folders = [folder / "applications" for folder in (own, *(Path(name) for name in system if name), *exported)]
    return list(dict.fromkeys([*folders, Path("/var/lib/snapd/desktop/applications")]))


def read_all(folders: Sequence[Path]) -> tuple[list[Entry], list[Path]]:
    """Return the entries, those shown in menus first, and all folders that were searched."""
    found: dict[str, Entry | None] = {}
    searched = list(folders)
    for folder in folders:
        for inner, names, files in os.walk(folder):
            searched += [Path(inner, name) for name in names]
            for path in (Path(inner, name) for name in sorted(files) if name.endswith(".desktop")):
                entry_id = clean("-".join(path.relative_to(folder).with_suffix("").parts))
                if entry_id not in found:  # an entry of an earlier folder hides those of later ones
                    found[entry_id] = _read(path, entry_id)
    return sorted((entry for entry in found.values() if entry), key=lambda entry: not entry.shown), searched


def _keys(path: Path) -> dict[str, str]:
    """Return the keys of an entry's main group; empty if the file cannot be read."""
    parser = ConfigParser(
        interpolation=None, strict=False, delimiters="=", comment_prefixes="#", allow_no_value=True, default_section=""
    )
    with suppress(OSError, Error, KeyError, ValueError):
        if path.is_file() and path.stat().st_size <= MAX_BYTES:  # a pipe would block
            parser.read_string(path.read_text("utf-8-sig", errors="replace"))
            return {key: value or "" for key, value in parser[_GROUP].items()}
    return {}


def _read(path: Path, entry_id: str) -> Entry | None:
    """Return the entry of a file; None if it is no app, was hidden by the user, or cannot be read."""
    keys = _keys(path)
    try:
        words = list(_words(shlex.split(keys.get("exec", ""))))
    except ValueError:
        return None
    if not keys or keys.get("type", "Application") != "Application" or keys.get("hidden") == "true":
        return None
    return Entry(
        entry_id,
        keys.get("startupwmclass", ""),
        words[0] if words else "",
        frozenset(words[1:]),
        keys.get("nodisplay") != "true",
        path,
        keys.get("exec", ""),
        keys.get("terminal") == "true",
        frozenset(keys.get("mimetype", "").split(";")) - {""},
    )


def _words(command: list[str]) -> Iterator[str]:
    """Yield program and arguments, without `env`, assignments, flatpak's launcher and field codes."""
    while command and (command[0].rsplit("/", 1)[-1] == "env" or _ASSIGNMENT.fullmatch(command[0])):
        command = command[1:]
    if command and command[0].rsplit("/", 1)[-1] == "flatpak":  # the app's process runs this command inside the sandbox
        command = [word.removeprefix("--command=") for word in command if word.startswith("--command=")]
    yield from (word for word in command if not re.fullmatch("%[a-zA-Z]|@@u?", word))
