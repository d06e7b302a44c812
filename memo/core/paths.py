"""Where everything of MEMO's stands: one folder that only its owner can read."""

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
    """The folders and files under MEMO_HOME (default: the platform's user data folder)."""

    root: Path

    @classmethod
    def find(cls) -> "Home":
        """The home named by MEMO_HOME, or the user's own; its folders are made, mode 0700."""
        chosen = os.environ.get("MEMO_HOME")
        try:
            root = Path(chosen).expanduser().absolute() if chosen else platformdirs.user_data_path("memo")
        except RuntimeError as error:
            raise UsageError(f"MEMO_HOME {chosen} can't be used ({error}); write the whole path.") from error
        home = cls(root)
        try:
            for folder in (home.root, home.run, home.logs, home.models, home.inbox, home.rejects, home.learned):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            home.root.chmod(0o700)
        except OSError as error:
            raise UsageError(f"MEMO_HOME {root} can't be used ({error.strerror}); choose a folder you own.") from error
        return home

    @cached_property
    def config(self) -> Path:
        """`memo.toml`: in the home where MEMO_HOME is set, else in the user's config folder."""
        moved = os.environ.get("MEMO_HOME")
        return (self.root if moved else platformdirs.user_config_path("memo")) / "memo.toml"

    @property
    def run(self) -> Path:
        """Locks, sockets and the state of the running parts."""
        return self.root / "run"

    @cached_property
    def in_memory(self) -> Path:
        """A private folder that no disk sees, for copies that the privacy rules have not seen; else one in `run`."""
        name = f"memo-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]}"
        for place in filter(None, (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm")):
            with suppress(OSError):
                folder = Path(place) / name
                folder.mkdir(mode=0o700, exist_ok=True)
                found = folder.lstat()  # in a place for all, somebody else may have made it
                if stat.S_ISDIR(found.st_mode) and (found.st_uid, found.st_mode & 0o077) == (os.getuid(), 0):
                    return folder
        folder = self.run / "memory"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    @property
    def state(self) -> Path:
        """What the supervisor says of its parts; only while it runs."""
        return self.run / "state.json"

    @property
    def sources(self) -> Path:
        """What the collector says of its sources; only while it runs."""
        return self.run / "sources.json"

    @property
    def training_due(self) -> Path:
        """While this file is there, a run of training waits for its process."""
        return self.run / "training.due"

    @property
    def logs(self) -> Path:
        """Log files, rotated."""
        return self.root / "logs"

    @property
    def models(self) -> Path:
        """A folder for each trained version."""
        return self.root / "models"

    @property
    def learned(self) -> Path:
        """Snapshots of what the worker has learned."""
        return self.root / "learned"

    @property
    def inbox(self) -> Path:
        """The watched folder; a file in its sub-folder NAME belongs to the scope NAME."""
        return self.root / "inbox"

    @property
    def rejects(self) -> Path:
        """What could not be read: place and reason, never text."""
        return self.root / "rejects"

    @property
    def paused(self) -> Path:
        """When MEMO took in nothing, and whether it does so now; see `memo.core.pauses`."""
        return self.root / "paused"

    @property
    def title_key(self) -> Path:
        """The key of the digests that stand for titles; in no copy and no export."""
        return self.root / "title.key"

    @property
    def broker(self) -> Path:
        """The embedded broker's own folder."""
        return self.root / "broker"

    @property
    def database_url(self) -> str:
        """The embedded store."""
        return f"sqlite:///{quote(str(self.root / 'memo.db'))}"
