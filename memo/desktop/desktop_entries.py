"""Desktop entries: what is installed as an app, read from .desktop files.

The keys and the order of folders are those of the Desktop Entry Specification of freedesktop.org.
"""

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from configparser import ConfigParser, Error
from dataclasses import dataclass
from pathlib import Path

from memo.core.grammar import clean

MAX_BYTES = 1_000_000
"""A larger file is no desktop entry."""
_GROUP = "Desktop Entry"
_ASSIGNMENT = re.compile(r"\w+=.*", re.S)


@dataclass(frozen=True, slots=True)
class Entry:
    """An installed app."""

    id: str
    """The name of its file without the ending."""
    window_class: str
    """What its windows say that they are; empty where the entry does not tell."""
    program: str
    """What is run, as the entry names it."""
    arguments: frozenset[str]
    """What it is always run with."""
    shown: bool
    """Whether it stands in menus; a helper of other programs does not."""
    file: Path
    """Where the entry stands."""
    line: str
    """The key Exec as it is written; `memo.desktop.exec_line` reads it."""
    terminal: bool
    """Whether it runs in a terminal."""

    @property
    def path(self) -> str:
        """The file that is run, links followed; empty where it isn't on this machine."""
        found = shutil.which(self.program)
        return os.path.realpath(found) if found else ""

    @property
    def names(self) -> set[str]:
        """What it is called in menus, in all languages; read anew each time, for that is seldom asked."""
        keys = _keys(self.file)
        return {value for key, value in keys.items() if key.partition("[")[0] == "name"}


def default_folders() -> list[Path]:
    """Where entries are installed, first come first: the person's own, the system's, flatpak's and snap's."""
    own = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    system = (os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    exported = (own / "flatpak/exports/share", Path("/var/lib/flatpak/exports/share"))
    folders = [folder / "applications" for folder in (own, *(Path(name) for name in system if name), *exported)]
    return list(dict.fromkeys([*folders, Path("/var/lib/snapd/desktop/applications")]))


def read_all(folders: Sequence[Path]) -> tuple[list[Entry], list[Path]]:
    """The entries, those in menus first, and the folders that were looked into."""
    found: dict[str, Entry | None] = {}
    seen = list(folders)
    for folder in folders:
        for inner, names, files in os.walk(folder):
            seen += [Path(inner, name) for name in names]
            for path in (Path(inner, name) for name in sorted(files) if name.endswith(".desktop")):
                entry_id = clean("-".join(path.relative_to(folder).with_suffix("").parts))
                if entry_id not in found:  # the first folder's hides the others'
                    found[entry_id] = _read(path, entry_id)
    return sorted((entry for entry in found.values() if entry), key=lambda entry: not entry.shown), seen


def _keys(path: Path) -> dict[str, str]:
    """Of an entry's own group; empty where it can't be read."""
    parser = ConfigParser(
        interpolation=None, strict=False, delimiters="=", comment_prefixes="#", allow_no_value=True, default_section=""
    )
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:  # nor wait for a pipe
            return {}
        parser.read_string(path.read_text("utf-8-sig", errors="replace"))
        return {key: value or "" for key, value in parser[_GROUP].items()}
    except (OSError, Error, KeyError, ValueError):
        return {}


def _read(path: Path, entry_id: str) -> Entry | None:
    """None for what is no app, was removed by its user, or can't be read."""
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
    )


def _words(command: list[str]) -> Iterator[str]:
    """Program and arguments, without the fields for files and what only sets the program up."""
    while command and (command[0].rsplit("/", 1)[-1] == "env" or _ASSIGNMENT.fullmatch(command[0])):
        command = command[1:]
    if command and command[0].rsplit("/", 1)[-1] == "flatpak":  # the app's process runs this, by no outer path
        command = [word.removeprefix("--command=") for word in command if word.startswith("--command=")]
    yield from (word for word in command if not re.fullmatch("%[a-zA-Z]|@@u?", word))
