"""Does a handler pay? One whose last goes cost more than they saved turns itself off for a while.

Nobody knows that before it is known of a few hits what they saved, or that there were none.
"""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from db.dispatch import handlers, ledger
from memo.core.logs import get_logger
from worker.gates.track_record import KNOWN

GOES = 20
"""That are judged together; after a rest, as many new ones."""

log = get_logger(__name__)


def judge(session: Session, names: Iterable[tuple[str, str]]) -> None:
    """Turn off what does not pay, of these handlers in their scopes; say so once."""
    for scope, name in sorted(names):
        if handlers.find_resting(session, scope, name):
            continue
        balance = ledger.find_last_balance(session, scope, name, handlers.find_judged_since(session, scope, name), GOES)
        if balance.goes < GOES or balance.known < min(KNOWN, balance.hits):
            continue
        if balance.saved_s >= balance.cost_s:
            handlers.reset_backoff(session, scope, name)
            continue
        reason = f"its last {GOES} goes cost {balance.cost_s:.1f} s and saved {balance.saved_s:.1f} s"
        row = handlers.record_rest(session, scope, name, reason)
        log.warning("a handler turned itself off", handler=name, scope=scope, reason=reason, until=str(row.until))
