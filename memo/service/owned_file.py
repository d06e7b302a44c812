"""Files of MEMO in folders of others: a digest in the first line proves that MEMO wrote the rest."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from memo.core.errors import MemoError
from memo.core.files import write_atomically
from memo.core.paths import make_private

HEAD = "# Written by `memo service install`; `memo service uninstall` removes it unless it was changed: "


def install(path: Path, text: str) -> None:
    """Write a file. Raises MemoError if there is one that is not as MEMO wrote it, or if it cannot be written."""
    if os.path.lexists(path) and not is_ours(path):
        raise MemoError(f"{path} is not as MEMO wrote it and is left as it is; move it away, then try again.")
    try:
        make_private(path.parent)
        write_atomically(path, f"{HEAD}{_digest(text)}\n{text}")
    except OSError as error:
        raise MemoError(f"{path} can't be written ({error.strerror}); make its folder writable.") from error


def remove(path: Path) -> bool:
    """Delete a file; return False if there is none. Raises MemoError if it is not as MEMO wrote it."""
    if not os.path.lexists(path):
        return False
    refuse_changed(path)
    path.unlink()
    return True


def refuse_changed(path: Path) -> None:
    """Raise MemoError if a file, or whatever is in its place, is not as MEMO wrote it."""
    if not is_ours(path):
        raise MemoError(f"{path} is not as MEMO wrote it and is left as it is; delete it yourself if you wish.")


def is_ours(path: Path) -> bool:
    """Return whether a file is as MEMO wrote it."""
    with suppress(OSError, UnicodeDecodeError):
        head, _, text = path.read_text(encoding="utf-8").partition("\n")
        return not path.is_symlink() and head == f"{HEAD}{_digest(text)}"
    return False


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
