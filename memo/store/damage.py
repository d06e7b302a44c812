"""The mark that the store is damaged. Whatever finds the damage sets it; the stack then ends and writes no more."""

import os
from contextlib import suppress
from pathlib import Path

from memo.core.files import describe_full, write_atomically
from memo.core.paths import Home

GONE = "its file is gone"
NO_FILE = "it is no file, but a folder or the like"
REMEDY = "run `memo down`, then `memo restore`"


def mark(home: Home, damage: str) -> None:
    """Set the mark if there is damage, else remove it."""
    if damage:
        with suppress(OSError):  # as on a full disk; what found the damage says it all the same
            write_atomically(home.store_damage, damage)
    else:
        home.store_damage.unlink(missing_ok=True)


def read_mark(home: Home) -> str:
    """Return the damage that was found in the store; "" if none was."""
    try:
        return home.store_damage.read_text()
    except FileNotFoundError:
        return ""


def find_marked(home: Home) -> str:
    """Return a sentence about the damage that was found in the store; "" if none was."""
    damage = read_mark(home)
    return f"The store is damaged ({damage}); {REMEDY}." if damage else ""


def store_files(file: Path) -> list[Path]:
    """Return the files of an SQLite store: itself, its log, and the log's index."""
    return [file, *(file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm"))]


def is_no_file(path: Path) -> bool:
    """Return whether something other than a file has this name."""
    return path.exists() and not path.is_file()


def find_loss(file: Path, folder: Path) -> str:
    """Return how a store was lost: it is no file, or an empty one, or gone although there are backups; else ""."""
    if is_no_file(file):
        return NO_FILE
    if file.exists():
        return "" if file.stat().st_size else "its file is empty"
    return GONE if find_backups(folder) else ""


def find_backups(folder: Path) -> list[Path]:
    """Return the backups in a folder, newest first."""
    return sorted(folder.glob(f"{'[0-9]' * 6}-*.db"), reverse=True)


def find_obstacle(file: Path) -> str:
    """Return a sentence about what keeps SQLite from using a store, although it is not damaged; "" if nothing.

    No file is opened: closing it would take the locks on it from the connections of this process, and other processes
    would write at the same time. Source: SQLite, How To Corrupt An SQLite Database File, section 2.2.
    """
    if not file.parent.is_dir():
        return f"The store {file} can't be made: there is no folder {file.parent}; make it, or correct database_url."
    for path in store_files(file):
        if is_no_file(path):
            return f"{path} is no file, where the store needs one; run `memo down`, then move it away."
        if path.exists() and not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
            return f"The store's file {path} can't be read and written; correct its permissions or database_url."
    return describe_full(file.parent)
