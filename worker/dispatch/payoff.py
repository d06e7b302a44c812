"""Whether a handler pays: what its hits saved, and a rest for one whose last attempts cost more than they saved.

MEMO judges that only once it knows the savings of a few hits, or if there were no hits at all.
"""

from collections.abc import Callable, Iterable

from sqlalchemy.orm import Session

from db.dispatch import handlers, ledger
from db.intake import launches
from db.models import DispatchRow
from memo.core.logs import get_logger
from worker.gates.gate_rules import KNOWN

JUDGED = 20  # attempts judged together; after a rest, this many new ones

log = get_logger(__name__)


def _of_launch(session: Session, row: DispatchRow) -> float | None:
    """Return the seconds by which a launch was shorter than a cold one; 0 if its files were in memory anyway."""
    if row.result and not row.result.get("cold"):
        return 0.0
    assert row.until is not None
    return launches.find_gain(session, row.scope, row.action["target"], row.at, row.until)


MEASURED: dict[str, Callable[[Session, DispatchRow], float | None]] = {"preload_app": _of_launch}
"""Handlers whose savings are known only after the hit."""


def measure(session: Session) -> list[tuple[DispatchRow, float]]:
    """Return the hits whose savings have become known, in seconds; nothing is written."""
    rows = ledger.find_unmeasured(session, MEASURED)
    return [(row, gain) for row in rows if (gain := MEASURED[row.handler](session, row)) is not None]


def judge(session: Session, names: Iterable[tuple[str, str]], judged: int = JUDGED) -> None:
    """Turn off those of the handlers, given by scope and name, whose last `judged` attempts did not pay."""
    for scope, name in sorted(names):
        if handlers.find_resting(session, scope, name):
            continue
        since = handlers.find_judged_since(session, scope, name)
        balance = ledger.find_last_balance(session, scope, name, since, judged)
        if balance.goes < judged or balance.known < min(KNOWN, balance.hits):
            continue
        if balance.saved_s >= balance.cost_s:
            handlers.reset_backoff(session, scope, name)
            continue
        reason = f"its last {judged} attempts cost {balance.cost_s:.1f} s and saved {balance.saved_s:.1f} s"
        row = handlers.record_rest(session, scope, name, reason)
        log.warning("handler_turned_off", handler=name, scope=scope, reason=reason, until=str(row.until))
