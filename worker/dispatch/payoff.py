"""Whether a handler pays: one whose last attempts cost more than they saved turns itself off for a while.

MEMO judges that only once it knows the savings of a few hits, or if there were no hits at all.
"""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from db.dispatch import handlers, ledger
from memo.core.logs import get_logger
from worker.gates.track_record import KNOWN

JUDGED = 20  # attempts judged together; after a rest, this many new ones

log = get_logger(__name__)


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
