"""Write files that only their owner can read, whole or not at all."""

import os
from pathlib import Path


def open_private(path: str, flags: int) -> int:
    """Open a file for `open(…, opener=open_private)`; a new file gets mode 0600."""
    return os.open(path, flags, 0o600)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace a file whole or not at all, also when power fails; it gets mode 0600. Raises OSError."""
    fresh = path.with_name(f"{path.name}.new")
    data = content.encode() if isinstance(content, str) else content
    with open(fresh, "wb", opener=open_private) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
