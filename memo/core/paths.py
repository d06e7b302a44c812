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


@dataclass(frozen=True)
class Home:
    """The folders and files below MEMO_HOME (default: the platform's user data folder)."""

    root: Path

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

    @property
    def run(self) -> Path:
        """The lock and the state of the running stack."""
        return self.root / "run"

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
    def state(self) -> Path:
        """The supervisor's report on its parts, while it runs."""
        return self.run / "state.json"

    @property
    def sources(self) -> Path:
        """The collector's report on its sources, while it runs."""
        return self.run / "sources.json"

    @property
    def logs(self) -> Path:
        """Rotated log files."""
        return self.root / "logs"

    @property
    def models(self) -> Path:
        """One folder for each trained version."""
        return self.root / "models"

    @property
    def learned(self) -> Path:
        """Snapshots of the worker's learned state."""
        return self.root / "learned"

    @property
    def inbox(self) -> Path:
        """The watched folder; a file in its subfolder NAME belongs to the scope NAME."""
        return self.root / "inbox"

    @property
    def rejects(self) -> Path:
        """Rejected lines: place and reason, never their text."""
        return self.root / "rejects"

    @property
    def paused(self) -> Path:
        """The pauses, past and present; see `memo.core.pauses`."""
        return self.root / "paused"

    @property
    def title_key(self) -> Path:
        """The key of hashed titles; in no backup and no export."""
        return self.root / "title.key"

    @property
    def broker(self) -> Path:
        """The folder of the embedded broker."""
        return self.root / "broker"

    @property
    def database_url(self) -> str:
        """The URL of the embedded store."""
        return f"sqlite:///{quote(str(self.root / 'memo.db'))}"
