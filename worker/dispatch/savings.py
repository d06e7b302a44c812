"""What a hit of a handler of ours saved, where that is measured only after it came."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from db.dispatch import ledger
from db.intake import launches
from db.models import DispatchRow


def of_launch(session: Session, row: DispatchRow) -> float | None:
    """Seconds by which the app's launch was shorter than a cold one. What was in memory anyway owes the go nothing."""
    if row.result and not row.result.get("cold"):
        return 0.0
    assert row.until is not None
    return launches.find_gain(session, row.scope, row.action["target"], row.at, row.until)


MEASURED: dict[str, Callable[[Session, DispatchRow], float | None]] = {"preload_app": of_launch}
"""By the name of the handler."""


def measure(session: Session) -> list[tuple[DispatchRow, float]]:
    """Hits of which it has become known what they saved; nothing is written."""
    rows = ledger.find_unmeasured(session, MEASURED)
    return [(row, gain) for row in rows if (gain := MEASURED[row.handler](session, row)) is not None]
