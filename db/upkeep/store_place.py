"""The id of an SQLite store holds in one place: a copy of the store gets an id of its own, so the two never meet.

The place is the file's name and its folder, known by inode and machine, not by its path or its disk, whose number may
change when the machine starts. So an id stays with a folder that is renamed or mounted elsewhere, and when a backup is
put in place there. If the store may be a copy, as after a move to another disk, it gets a new id: that costs only
readers who were given the old one, while two stacks with one id take each other's work. A database of Postgres is where
several machines meet, and keeps its id.
"""

import hashlib
import secrets
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import StoreIdentityRow

MACHINE_ID = Path("/etc/machine-id")  # source: machine-id(5)


def record_place(session: Session, file: Path | None) -> tuple[str, str] | None:
    """Give a store that is in another place than before a new id; return the former and the new one, else None.

    A store whose place was never recorded, as it is new or of an earlier release, keeps its id.
    """
    row = session.scalar(select(StoreIdentityRow))
    if file is None or row is None or row.file == (place := _describe(file.resolve())):
        return None
    before, row.file = row.file, place
    if before is None:
        return None
    former, row.id = row.id, secrets.token_hex(6)
    return former, row.id


def _describe(file: Path) -> str:
    """Return a hash of what tells the place of this file from all others."""
    machine = ""
    with suppress(OSError):  # a container may have none
        machine = MACHINE_ID.read_text()
    place = [machine, file.parent.stat().st_ino, file.name]
    return hashlib.sha256(repr(place).encode()).hexdigest()[:16]
