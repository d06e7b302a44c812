"""Empty homes for tests, in memory, where to force a file to the disk takes no time."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memo.core.paths import Home

MEMORY = Path("/dev/shm")
ENOUGH = 1_000_000_000  # bytes that have to be free there; a container may have few


@contextmanager
def new_home() -> Iterator[Home]:
    """A home without any folder yet, its path short enough for a unix socket; removed afterwards."""
    place = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH else "/tmp"
    home = Home(Path(tempfile.mkdtemp(prefix="memo", dir=place)))
    try:
        yield home
    finally:
        home.remove_memory()
        shutil.rmtree(home.root)
