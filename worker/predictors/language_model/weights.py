"""The files of a base model's weights, and the fingerprint that adapters are held to."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import data

BUILTIN = Path(data.__file__).parent / "base"


def find_weights(folder: Path) -> list[Path]:
    """Return the files of a model's folder that hold its weights."""
    return sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))


def compute_sha256(files: Iterable[Path]) -> str:
    """Return the SHA-256 of files, as if they were one."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            hashlib.file_digest(opened, lambda: digest)
    return digest.hexdigest()
