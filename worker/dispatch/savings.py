"""Measure what a hit saved, for built-in handlers whose savings are known only after the hit."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from db.dispatch import ledger
from db.intake import launches
from db.models import DispatchRow


def of_launch(session: Session, row: DispatchRow) -> float | None:
    """Return the seconds by which a launch was shorter than a cold one; 0 if its files were in memory anyway."""
    if row.result and not row.result.get("cold"):
        return 0.0
    assert row.until is not None
    return launches.find_gain(session, row.scope, row.action["target"], row.at, row.until)


MEASURED: dict[str, Callable[[Session, DispatchRow], float | None]] = {"preload_app": of_launch}  # by handler


def measure(session: Session) -> list[tuple[DispatchRow, float]]:
    """Return the hits whose savings have become known, in seconds; nothing is written."""
    rows = ledger.find_unmeasured(session, MEASURED)
    return [(row, gain) for row in rows if (gain := MEASURED[row.handler](session, row)) is not None]
