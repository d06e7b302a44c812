"""The folders and files of MEMO, all in one folder that only its owner can read."""

import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import platformdirs

from memo.core.errors import UsageError


class _Below:
    """A path below the root of a home."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, home: "Home", _owner: type["Home"]) -> Path:
        return home.root / self._name


@dataclass(frozen=True)
class Home:
    """The folders and files below MEMO_HOME (default: the platform's user data folder)."""

    root: Path

    run = _Below("run")
    """The lock and the state of the running stack."""
    state = _Below("run/state.json")
    """The supervisor's report on its parts, while it runs."""
    sources = _Below("run/sources.json")
    """The collector's report on its sources, while it runs."""
    logs = _Below("logs")
    """Rotated log files."""
    models = _Below("models")
    """One folder for each trained version."""
    learned = _Below("learned")
    """Snapshots of the worker's learned state."""
    inbox = _Below("inbox")
    """The watched folder; a file in its subfolder NAME belongs to the scope NAME."""
    rejects = _Below("rejects")
    """Rejected lines: place and reason, never their text."""
    paused = _Below("paused")
    """The pauses, past and present; see `memo.clock.pauses`."""
    title_key = _Below("title.key")
    """The key of hashed titles; in no backup and no export."""
    broker = _Below("broker")
    """The folder of the embedded broker."""

    @classmethod
    def find(cls) -> "Home":
        """Return the home that MEMO_HOME names, or the user's own, and create its folders with mode 0700."""
        chosen = os.environ.get("MEMO_HOME")
        try:
            root = Path(chosen).expanduser().absolute() if chosen else platformdirs.user_data_path("memo")
        except RuntimeError as error:
            raise UsageError(f"Cannot use MEMO_HOME {chosen} ({error}); write the absolute path.") from error
        home = cls(root)
        try:
            for folder in (home.root, home.run, home.logs, home.models, home.inbox, home.rejects, home.learned):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            home.root.chmod(0o700)
        except OSError as error:
            raise UsageError(f"Cannot use MEMO_HOME {root} ({error.strerror}); choose a folder you own.") from error
        return home

    @cached_property
    def config(self) -> Path:
        """`memo.toml`: in the home if MEMO_HOME is set, else in the user's config folder."""
        moved = os.environ.get("MEMO_HOME")
        return (self.root if moved else platformdirs.user_config_path("memo")) / "memo.toml"

    @cached_property
    def in_memory(self) -> Path:
        """A private folder in memory, for copies that the privacy rules have not filtered yet; else one in `run`."""
        name = f"memo-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]}"
        for place in filter(None, (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm")):
            with suppress(OSError):
                folder = Path(place) / name
                folder.mkdir(mode=0o700, exist_ok=True)
                found = folder.lstat()  # in a shared place somebody else may have created it
                if stat.S_ISDIR(found.st_mode) and (found.st_uid, found.st_mode & 0o077) == (os.getuid(), 0):
                    return folder
        folder = self.run / "memory"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    @property
    def database_url(self) -> str:
        """The URL of the embedded store."""
        return f"sqlite:///{quote(str(self.root / 'memo.db'))}"
