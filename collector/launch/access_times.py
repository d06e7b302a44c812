"""Files that a program read and closed again, found without root by the time of their last access.

Linux moves that time on at a file's first reading in a day (the mount option relatime, which is the default): what a
launch read shows by it, unless it was read within a day before. Mounts with noatime show nothing.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

SYSTEM = ("/usr/share", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/local", "/opt", "/etc", "/var/cache/fontconfig")
OWN = (".config", ".cache/fontconfig", ".local/share")
"""Below the home folder."""
SKIPPED = frozenset({"doc", "man", "help", "info", "licenses", "node_modules", "Trash", "__pycache__"})
MOST, LONGEST_S = 400_000, 60.0
"""Entries, and seconds, of one look."""


def roots(home: Path, executable: str) -> list[str]:
    """Where programs keep what they read at their start, and the executable's own folder.

    That is left out where it can be one of a person's: the home folder, or one of those in it, such as Downloads.
    """
    own = [str(home / name) for name in OWN]
    beside = os.path.dirname(executable)
    is_program_folder = str(home) not in (beside, os.path.dirname(beside)) and not _is_below(beside, ("/bin", "/usr"))
    return [*SYSTEM, *own, *([beside] if is_program_folder else [])]


def accessed(folders: Iterable[str], since: float, until: float) -> set[str]:
    """The regular files below that were last read in a span of time; links are not followed."""
    deadline = time.monotonic() + LONGEST_S
    found = set()
    for number, entry in enumerate(_walk(list(folders))):
        if number >= MOST or time.monotonic() > deadline:
            break
        with suppress(OSError):
            if entry.is_file(follow_symlinks=False) and since <= entry.stat(follow_symlinks=False).st_atime <= until:
                found.add(entry.path)
    return found


def _walk(folders: list[str]) -> Iterator[os.DirEntry[str]]:
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED:
                        folders.append(entry.path)
                else:
                    yield entry


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def is_installed(path: str, home: Path, executable: str) -> bool:
    """Whether a file is a program's, not a person's: the system's, in a hidden folder, or beside the executable."""
    hidden = os.path.relpath(path, home).startswith(".") and _is_below(path, [str(home)])
    return hidden or _is_below(path, ["/usr", "/lib", "/var/lib/flatpak", "/snap", *roots(home, executable)])
