"""The manifest of a trained version: `version.json` in its folder, with the hash of each other file.

It is written last, once the other files are on the disk: a folder with a manifest is complete. Whoever changes a file
afterwards changes its hash; whoever replaces the whole folder changes the hash of all of them, which the store knows.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from memo.core.files import force_to_disk, write_atomically

NAME = "version.json"


def write(folder: Path, description: dict[str, Any]) -> None:
    """Write the manifest of a folder that holds all other files of a version. Raises OSError."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name != NAME)
    for path in paths:
        force_to_disk(path)
    files = {path.name: _compute_hash(path) for path in paths}
    found = description | {"files": files, "content": _compute_content(files)}
    write_atomically(folder / NAME, json.dumps(found, indent=2) + "\n")
    force_to_disk(folder)


def add(folder: Path, more: dict[str, Any]) -> None:
    """Add to the manifest of a folder what is known by now. Raises OSError or ValueError."""
    write_atomically(folder / NAME, json.dumps(read(folder) | more, indent=2) + "\n")


def read(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder. Raises OSError or ValueError."""
    found = json.loads((folder / NAME).read_text("utf-8"))
    if not isinstance(found, dict) or not isinstance(found.get("files", {}), dict):
        raise ValueError("it is not a manifest")
    return found


def find_damage(folder: Path, content: str | None) -> str:
    """Return why a version can't be used, given the hash of its content that the store knows; "" if it can.

    Versions of earlier releases have no hashes; of these only the manifest itself is checked.
    """
    try:
        found = read(folder)
        files = found.get("files", {})
        changed = [name for name, digest in files.items() if _hash_cached(folder / name) != digest]
    except (OSError, ValueError) as error:
        return f"{folder / NAME} can't be read, or a file that it names ({error})"
    if changed:
        return f"{folder / changed[0]} is not as it was when the version was trained"
    return f"{folder} holds another version" if content is not None and _compute_content(files) != content else ""


def _hash_cached(path: Path) -> str:
    state = path.stat()
    return _hash_of_state(path, state.st_size, state.st_mtime_ns)


@lru_cache
def _hash_of_state(path: Path, _size: int, _mtime_ns: int) -> str:
    """Return the hash of a file, read again only once its size or time changes."""
    return _compute_hash(path)


def _compute_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _compute_content(files: dict[str, str]) -> str:
    """Return one hash of all files."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
