"""A small disk of its own, and what fills it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

FILL = "fill"  # the file that takes the room
PAGE = 4096  # bytes of a page of SQLite


@contextmanager
def disk(size: str) -> Iterator[Path]:
    """A small disk of its own; skip where this user may not mount one."""
    with tempfile.TemporaryDirectory(prefix="memo", dir="/tmp") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder]
        if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("only root can mount a small disk")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path, leave: int = 0) -> None:
    """Leave at most this many bytes."""
    with (folder / FILL).open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while shutil.disk_usage(folder).free > leave:
                    file.write(bytes(size))


def overwrite_pages(file: Path) -> None:
    """Overwrite three pages in the middle of a store."""
    with file.open("r+b") as damaged:
        damaged.seek(file.stat().st_size // PAGE // 2 * PAGE)
        damaged.write(b"\xa5" * 3 * PAGE)


def make_room(folder: Path) -> None:
    """Take the file away again."""
    (folder / FILL).unlink(missing_ok=True)
