"""`memo restore`: replace a damaged store with the newest backup."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cli.terminal.options import Yes, confirm, flag
from cli.terminal.output import print_json, print_text
from cli.terminal.progress import spinner
from memo.core.errors import MemoError
from memo.core.files import set_aside
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running
from memo.store.damage import NO_FILE, find_obstacle, mark, store_files

if TYPE_CHECKING:
    from db.upkeep.backups import Backup


@dataclass(frozen=True)
class Loss:
    """A damaged store, and the backup that may replace it."""

    file: Path
    damage: str
    written_at: datetime | None
    backup: "Backup | None"


def restore(
    yes: Yes = False,
    as_json: Annotated[bool, flag("--json", "Print JSON; nothing is changed without --yes.")] = False,
) -> None:
    """Show the newest backup of the store and what would be lost, then replace the store with it.

    The files of the store and of the embedded broker, and versions trained later, are set aside, never deleted. Without
    a backup MEMO begins empty.

    Example: `memo down`, then `memo restore`
    """
    settings, home = Settings.load(), Home.find()
    aside = None
    with running.hold(home):
        with spinner("checking the store and its backups"):
            loss = _look(settings, home)
        if not as_json:
            print_text(_describe(loss, settings))
        is_agreed = yes or (not as_json and confirm("Restore it?", "changed", "restores"))
        if is_agreed:
            aside = _replace(loss, settings, home)
    if as_json:
        print_json(_as_json(loss) | {"restored": is_agreed, "set_aside": aside and str(aside)})
    elif aside:
        print_text(f"Restored; what was there is kept in {aside}. `memo up` starts MEMO.")
    else:
        print("Restored; `memo up` starts MEMO.")


def _look(settings: Settings, home: Home) -> Loss:
    from db.engine import sqlite_path, store_url
    from db.upkeep import backups

    file = sqlite_path(store_url(settings, home))
    if file is None:
        raise MemoError("The store is on Postgres; restore it with pg_restore or psql from what pg_dump wrote.")
    damage = backups.check(file, home, thoroughly=True)
    if damage != NO_FILE and (obstacle := find_obstacle(file)):
        raise MemoError(obstacle)
    backup = backups.read_newest(home.backups)
    if not damage and backup is None:
        raise MemoError(f"There is no backup, and no damage at {file}, so there is nothing to restore.")
    # Readers touch the index of SQLite's log, the last of the files.
    times = [path.stat().st_mtime for path in store_files(file)[:2] if path.exists()]
    return Loss(file, damage, datetime.fromtimestamp(max(times), UTC) if times else None, backup)


def _describe(loss: Loss, settings: Settings) -> str:
    found = f"is damaged ({loss.damage})" if loss.damage else "shows no damage"
    first = f"The store {loss.file} {found}."
    if loss.backup is None:
        return f"{first}\nThere is no backup, so MEMO will begin empty."

    def local(time: datetime | None) -> str:
        return f"{time.astimezone(settings.zone):%Y-%m-%d %H:%M:%S}" if time else "none"

    backup = loss.backup
    until = f" until {local(loss.written_at)}" if loss.written_at else ""
    return (
        f"{first}\n"
        f"The newest backup is of {local(backup.made_at)}: {backup.events} events, the newest of "
        f"{local(backup.newest_event_at)}.\n"
        f"What was stored after that{until} is lost, except what the sources still have: they take it in again."
    )


def _replace(loss: Loss, settings: Settings, home: Home) -> Path | None:
    """Set the store aside and put the backup in its place; return where the old files are.

    Its log goes with it, as it would be taken for that of the backup. After an interruption the store is gone, and the
    same command completes it. Learned state, versions that the backup does not know, and messages in the queue
    depend on rows that it may not have.
    """
    from db.upkeep import backups
    from forget import erase_files

    unknown, queue = _find_unknown(loss.backup, home), [] if settings.broker_url else [home.broker]
    aside = set_aside(home, [*store_files(loss.file), *unknown, *queue])
    erase_files.clear_learned(home)
    if loss.backup:
        backups.put_in_place(loss.backup, loss.file)
    mark(home, "")
    return aside


def _find_unknown(backup: "Backup | None", home: Home) -> list[Path]:
    """Return the folders of versions that a backup does not know; other models, such as pulled ones, are left out."""
    from forget.erase_files import VERSION

    known = {home.version(path) for path in backup.versions} if backup else set()
    return [path for path in home.models.iterdir() if VERSION.fullmatch(path.name) and path not in known]


def _as_json(loss: Loss) -> dict[str, Any]:
    backup = loss.backup
    return {
        "store": str(loss.file),
        "damage": loss.damage,
        "backup": backup and asdict(backup) | {"file": str(backup.file)},
        "lost": backup and {"since": backup.made_at, "until": loss.written_at},
    }
