"""The files of a base model's weights, and the fingerprint that adapters are held to."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import data

BUILTIN = Path(data.__file__).parent / "base"


def remedy(base: str) -> str:
    """Return how a person gets a base model that can't be used; only a name of the hub can be pulled."""
    choose = "set model.base to builtin or to the folder of a model"
    is_path = base.startswith(("/", ".", "~")) or base == "builtin"
    return choose if is_path else f"run `memo model pull {base}`, or {choose}"


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
