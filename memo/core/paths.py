"""The folders and files of MEMO, all in one folder that only its owner can read.

What few paths need is imported there: `memo pick` begins with this module, and a person waits for it.
"""

import grp
import os
import pwd
import stat
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

from memo.core.errors import UsageError

UMASK = "MEMO_UMASK"  # environment variable: the umask of whoever started MEMO, for the programs that it starts


def be_private() -> None:
    """Let this process and its children create files that only their owner can read; every program begins with it."""
    before = os.umask(0o077)
    os.environ.setdefault(UMASK, f"{before:o}")


def given_umask() -> int:
    """Return the umask for a program that is not MEMO's, as `subprocess` takes it: that of whoever started MEMO."""
    with suppress(KeyError, ValueError):
        return int(os.environ[UMASK], 8) & 0o777
    return -1  # keep


def refuse_foreign(path: Path) -> None:
    """Raise UsageError if somebody else may have written a file or folder: another owner, or who can replace it.

    What belongs to root is fine, and so is a group that only this user is in, which some systems let write by default.
    """
    real = Path(os.path.realpath(path))
    for place in dict.fromkeys((path, *path.parents, real, *real.parents)):
        with suppress(OSError):  # whoever opens it is told
            found = place.stat()
            if found.st_uid not in (0, os.getuid()):
                raise UsageError(
                    f"{place} belongs to {_user(found.st_uid)}, who could change what MEMO does; "
                    f"remove it, or run `sudo chown {os.getuid()} {place}` if it is yours."
                )
            is_open = found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and not _is_own(found.st_gid))
            if is_open and not found.st_mode & stat.S_ISVTX and not stat.S_ISCHR(found.st_mode):
                raise UsageError(
                    f"Other users can write to {place}, and so change what MEMO does; run `chmod go-w {place}`."
                )


def _user(number: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return f"user {number}"


def _is_own(number: int) -> bool:
    """Return whether a group is this user's alone: their primary one, of their name, with no other member."""
    try:
        user, group = pwd.getpwuid(os.getuid()), grp.getgrgid(number)
    except KeyError:  # a container may list neither
        return number == os.getgid()
    return group.gr_gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def make_private(folder: Path) -> None:
    """Create a folder, and those above that are missing, for this user alone."""
    for missing in reversed([place for place in folder.parents if not place.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


class _Below:
    """A path below the root of a home."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, home: "Home", _owner: type["Home"]) -> Path:
        return home.root / self.name


@dataclass(frozen=True)
class Home:
    """The folders and files below MEMO_HOME (default: the platform's user data folder)."""

    root: Path

    run = _Below("run")
    """The lock and the state of the running stack; those who wait to write to the SQLite store lock the folder."""
    state = _Below("run/state.json")
    """The supervisor's report on its parts, while it runs."""
    sources = _Below("run/sources.json")
    """The collector's report on its sources, while it runs."""
    standby = _Below("run/pick.sock")
    """The socket of the process that stands by for `memo pick`."""
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
    recorded = _Below("dispatched.jsonl")
    """The lines of the handler `record`; a full file gets `.1` after its name."""
    broker = _Below("broker")
    """The folder of the embedded broker."""
    backups = _Below("backups")
    """The newest backups of the SQLite store."""
    store_damage = _Below("store-damage")
    """What is wrong with the store, while it is damaged; see `memo.store.damage`."""
    damaged = _Below("damaged")
    """One folder for each time that damaged files were set aside."""

    @classmethod
    def find(cls) -> "Home":
        """Return the home that MEMO_HOME names, or the user's own, and create its folders with mode 0700."""
        chosen = os.environ.get("MEMO_HOME")
        try:
            root = Path(chosen).expanduser().absolute() if chosen else _user_folder("data")
        except RuntimeError as error:
            raise UsageError(f"Cannot use MEMO_HOME {chosen} ({error}); write the absolute path.") from error
        home = cls(root)
        try:
            for folder in (home.root, home.run, home.logs, home.models, home.inbox, home.rejects, home.learned):
                make_private(folder)
            home.root.chmod(0o700)
            refuse_foreign(home.root)
            for entry in os.scandir(home.root):  # from before it was private, or brought by a copy
                if entry.stat(follow_symlinks=False).st_uid not in (0, os.getuid()):
                    refuse_foreign(Path(entry.path))
        except OSError as error:
            place = Path(error.filename or root)
            if root in place.parents and place.is_file():
                raise UsageError(f"{place} is a file, where MEMO needs a folder; move it away.") from error
            raise UsageError(f"Cannot use MEMO_HOME {root} ({error.strerror}); choose a folder you own.") from error
        return home

    @classmethod
    def names(cls) -> set[str]:
        """Return the names of what stands above directly in a home: all that MEMO makes there but the store's files."""
        return {PurePath(place.name).parts[0] for place in vars(cls).values() if isinstance(place, _Below)}

    @cached_property
    def config(self) -> Path:
        """`memo.toml`: in the home if MEMO_HOME is set, else in the user's config folder."""
        moved = os.environ.get("MEMO_HOME")
        return (self.root if moved else _user_folder("config")) / "memo.toml"

    @cached_property
    def in_memory(self) -> Path:
        """A private folder in memory, for copies that the privacy rules have not filtered yet; else one in `run`."""
        for folder in self._places_in_memory():
            with suppress(OSError):
                folder.mkdir(mode=0o700, exist_ok=True)
                found = folder.lstat()  # in a shared place somebody else may have created it
                if stat.S_ISDIR(found.st_mode) and (found.st_uid, found.st_mode & 0o077) == (os.getuid(), 0):
                    return folder
        folder = self.run / "memory"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _places_in_memory(self) -> list[Path]:
        import hashlib

        name = f"memo-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]}"
        return [Path(place) / name for place in (os.environ.get("XDG_RUNTIME_DIR"), "/dev/shm") if place]

    def remove_memory(self) -> None:
        """Delete the folder in memory, wherever it is."""
        import shutil

        for folder in (*self._places_in_memory(), self.run / "memory"):
            shutil.rmtree(folder, ignore_errors=True)

    def version(self, path: str) -> Path:
        """Return the folder of a trained version, given the `path` in its row.

        It is in this home, also if the home was moved or copied after the row was written.
        """
        return self.models / PurePath(path).name

    @property
    def database_url(self) -> str:
        """The URL of the embedded store."""
        from urllib.parse import quote

        return f"sqlite:///{quote(str(self.root / 'memo.db'))}"


def _user_folder(kind: str) -> Path:
    """Return the user's folder for "data" or "config"."""
    import platformdirs

    folder: Path = getattr(platformdirs, f"user_{kind}_path")("memo")
    return folder
