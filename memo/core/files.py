"""Write files that only their owner can read, whole or not at all; lock them; set damaged ones aside."""

import errno
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO

from memo.core.errors import MemoError
from memo.core.paths import Home

FULL = 1_000_000  # bytes; a disk with less is full
TURN_S = 5.0  # longest wait for another process that writes the same file; it may be stopped
POLL_S = 0.002


def describe_full(folder: Path) -> str:
    """Return a sentence if the disk of a folder has no room for the next few lines, or for a new file; else ""."""
    disk = os.statvfs(folder)
    if disk.f_blocks and disk.f_bavail * disk.f_frsize <= FULL:  # what is no disk, such as /proc, has no size
        return f"The disk of {folder} is full; free some space."
    if disk.f_files and not disk.f_favail:  # some file systems do not count them
        return f"The disk of {folder} has no room for more files, however small; delete some."
    return ""


def open_private(path: str, flags: int) -> int:
    """Open a file for `open(…, opener=open_private)`; a new file gets mode 0600."""
    return os.open(path, flags, 0o600)


def write_atomically(path: Path, content: str | bytes, turn_s: float = TURN_S) -> None:
    """Replace a file whole or not at all, also when power fails; it gets mode 0600. Raises OSError."""
    fresh = path.with_name(f"{path.name}.new")
    data = content.encode() if isinstance(content, str) else content
    with _open_alone(fresh, turn_s) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        fresh.replace(path)


@contextmanager
def _open_alone(path: Path, turn_s: float) -> Iterator[BinaryIO]:
    """Open an emptied file that nobody else is writing and that was not renamed meanwhile. Raises OSError."""
    deadline = time.monotonic() + turn_s
    while time.monotonic() < deadline:
        with open(path, "ab", opener=open_private) as file:
            if _is_alone(file, path):
                file.truncate(0)
                yield file
                return
        time.sleep(POLL_S)
    raise TimeoutError(errno.ETIMEDOUT, "another process is writing it", str(path))


def _is_alone(file: BinaryIO, path: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):  # another one writes it, or has just renamed it
        return False


@contextmanager
def hold_lock(path: Path, refusal: str) -> Iterator[IO[str]]:
    """Hold the lock of a file, which is made if it is missing. Raises MemoError at once if another process holds it."""
    with open(path, "a", opener=open_private) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MemoError(refusal) from error
        yield file


def read_locked(path: Path) -> list[str]:
    """Return the words in a file whose lock a process holds; none if nobody holds it."""
    with suppress(FileNotFoundError), path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().split()
    return []


def find_files(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield a file, or all files below a folder, sorted, each with its state; links are left out."""
    within = sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    for found in within if path.is_dir() else [path]:
        with suppress(OSError):  # deleted meanwhile
            state = found.lstat()
            if stat.S_ISREG(state.st_mode):
                yield found, state


def force_to_disk(path: Path) -> None:
    """Wait until a file, or a folder's names, are on the disk. Raises OSError."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def set_aside(home: Home, paths: Iterable[Path]) -> Path | None:
    """Move damaged files and folders, as far as they exist, into a new folder in the home; return that, or None.

    They are not deleted: somebody may still get something out of them.
    """
    present = [path for path in paths if os.path.lexists(path)]
    if not present:
        return None
    folder = home.damaged / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
    home.damaged.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700)
    for path in present:
        shutil.move(path, folder / path.name)
    return folder
