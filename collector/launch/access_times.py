"""Files that a program has read and closed again, found without root by their access times.

With the default mount option relatime, Linux updates a file's access time at its first read in a day, so a file is
found unless it was read within the day before the launch. On mounts with noatime nothing is found.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

SYSTEM = ("/usr/share", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/local", "/opt", "/etc", "/var/cache/fontconfig")
OWN = (".config", ".cache/fontconfig", ".local/share")  # below the home folder
SKIPPED = frozenset({"doc", "man", "help", "info", "licenses", "node_modules", "Trash", "__pycache__"})
MAX_ENTRIES = 400_000  # examined in one search
MAX_SEARCH_S = 60.0


def roots(home: Path, executable: str) -> list[str]:
    """Return the folders with files that programs read when they start, and the executable's own folder.

    The latter is left out if it may be a person's: the home folder, or a folder in it such as Downloads.
    """
    own = [str(home / name) for name in OWN]
    folder = os.path.dirname(executable)
    is_personal = str(home) in (folder, os.path.dirname(folder))
    is_extra = not is_personal and not _is_below(folder, ("/bin", "/usr"))
    return [*SYSTEM, *own, *([folder] if is_extra else [])]


def accessed(folders: Iterable[str], since: float, until: float) -> set[str]:
    """Return the regular files below these folders last read in a span of time; symbolic links are not followed."""
    deadline = time.monotonic() + MAX_SEARCH_S
    found = set()
    for number, entry in enumerate(_walk(list(folders))):
        if number >= MAX_ENTRIES or time.monotonic() > deadline:
            break
        with suppress(OSError):
            if entry.is_file(follow_symlinks=False) and since <= entry.stat(follow_symlinks=False).st_atime <= until:
                found.add(entry.path)
    return found


def _walk(folders: list[str]) -> Iterator[os.DirEntry[str]]:
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    yield entry
                elif entry.name not in SKIPPED:
                    folders.append(entry.path)


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def is_installed(path: str, home: Path, executable: str) -> bool:
    """Return whether a file belongs to a program: it is the system's, in a hidden folder, or below the executable's."""
    is_hidden = os.path.relpath(path, home).startswith(".") and _is_below(path, [str(home)])
    return is_hidden or _is_below(path, ["/usr", "/lib", "/var/lib/flatpak", "/snap", *roots(home, executable)])
