"""Damaged files are set aside in the home, never deleted: somebody may still get something out of them."""

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from memo.core.paths import Home


def set_aside(home: Home, paths: Iterable[Path]) -> Path | None:
    """Move files and folders, as far as they exist, into a new folder in the home; return that, or None."""
    present = [path for path in paths if path.exists()]
    if not present:
        return None
    folder = home.damaged / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
    home.damaged.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700)
    for path in present:
        shutil.move(path, folder / path.name)
    return folder
