"""Backups of a SQLite store, and the damage that they are for. Postgres has tools of its own, such as pg_dump."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import StaticPool, create_engine
from sqlalchemy.exc import DBAPIError

from db.engine import is_damage
from db.upkeep.lost_schema import find_lost
from memo.core.files import force_to_disk
from memo.core.paths import Home
from memo.store.damage import NO_FILE, REMEDY, find_backups, find_loss, mark

KEPT = 3  # backups
TRIES = 3  # attempts at one backup
UNFINISHED = "unfinished"  # file in the folder, in which a backup is made
NEW = ".new"  # ends the name of a file that is to become the store
TIME = "%Y-%m-%dT%H-%M-%SZ"  # in the name of a backup, behind its number
FAILED = "made no backup"  # begins the result of a job that made none


@dataclass(frozen=True)
class Backup:
    """What a backup holds."""

    file: Path
    made_at: datetime
    events: int
    newest_event_at: datetime | None
    versions: list[str]
    """Their folders."""


def find_damage(file: Path) -> str:
    """Return the first damage that is found in a file; "" if there is none, or if it can't be looked for."""
    try:
        with _reading(file) as connection:
            found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                return found.splitlines()[-1]
            with create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool).connect() as opened:
                return find_lost(opened)
    except (sqlite3.Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        return str(cause) if is_damage(cause) else ""


def check(file: Path, home: Home, thoroughly: bool) -> str:
    """Return how a store was lost or, if looked at `thoroughly`, damaged, and mark that; "" if it was not.

    A file that is empty is marked only if there are backups: without, it may be one that is just being made.
    """
    loss = find_loss(file, home.backups)
    damage = loss or (find_damage(file) if thoroughly else "")
    is_certain = loss == NO_FILE or bool(find_backups(home.backups)) if loss else thoroughly
    if is_certain:
        mark(home, damage)
    return damage


def back_up(file: Path, home: Home, now: datetime, tries: int = TRIES) -> str:
    """Add a backup, unless the store is damaged, and keep the newest ones; return the job's result."""
    folder = home.backups
    if damage := check(file, home, thoroughly=True):
        return f"{FAILED}: the store is damaged ({damage}); {REMEDY}"
    try:
        made = _make(file, folder, now)
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, FileNotFoundError) and tries > 1:  # `memo forget` deleted what might hold the forgotten
            return back_up(file, home, now, tries - 1)
        return f"{FAILED}: {error}"
    finally:
        (folder / UNFINISHED).unlink(missing_ok=True)
    for old in find_backups(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return f"made {made.name}"


def _make(file: Path, folder: Path, now: datetime) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    fresh = folder / UNFINISHED
    fresh.unlink(missing_ok=True)
    fresh.touch(0o600)
    with _reading(file) as connection:
        connection.execute("VACUUM INTO ?", (str(fresh),))
    if damage := find_damage(fresh):
        raise OSError(f"the copy is damaged ({damage})")
    # By number, as a clock that was ahead once would make later backups count as older ones.
    newest = next((int(path.name.partition("-")[0]) for path in find_backups(folder)), 0)
    return _put(fresh, folder / f"{newest + 1:06}-{now.astimezone(UTC).strftime(TIME)}.db")


def read_newest(folder: Path) -> Backup | None:
    """Return the newest backup that is not damaged itself, or None."""
    file = next((path for path in find_backups(folder) if not find_damage(path)), None)
    if file is None:
        return None
    with _reading(file) as connection:
        count, newest = connection.execute("SELECT count(*), max(at) FROM events").fetchone()
        versions = [path for (path,) in connection.execute("SELECT path FROM versions")]
    made_at = datetime.strptime(file.stem.partition("-")[2], TIME).replace(tzinfo=UTC)
    newest_at = datetime.fromisoformat(newest).replace(tzinfo=UTC) if newest else None
    return Backup(file, made_at, count, newest_at, versions)


def put_in_place(backup: Backup, file: Path) -> None:
    """Make a backup the store, whole or not at all; the backup stays."""
    fresh = file.with_name(f"{file.name}{NEW}")
    fresh.touch(0o600)
    shutil.copyfile(backup.file, fresh)
    _put(fresh, file)


def _put(fresh: Path, file: Path) -> Path:
    """Rename a file once its contents are on the disk, and wait until the new name is too."""
    force_to_disk(fresh)
    fresh.replace(file)
    force_to_disk(file.parent)
    return file


def _reading(file: Path) -> closing[sqlite3.Connection]:
    """Open a file so that SQLite changes nothing in it."""
    return closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, isolation_level=None))
