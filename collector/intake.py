"""The way of a batch into the store: scope, privacy, plausibility, then one transaction; after it, one ask."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from collector.privacy.rules import NOW_PAUSED, Rules, awake, redact, rules
from data.importers.line import implausible
from db.engine import Store
from db.intake import cursors, events, redactions, scopes
from memo.core import pauses
from memo.core.bounded import BoundedDict
from memo.core.events import Event
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Past

REMEMBERED, KEPT = 10_000, 256
"""Lines of which a source's repeats are counted, here and across a restart: equal ones mostly come close together."""
COUNTED = 8
"""Cursors, files that is, whose repeats are counted here."""
CHUNK = 2_000
"""Events of a past that are stored in one transaction."""

log = get_logger(__name__)


class Intake:
    """Takes the batches of all sources; after the commit `announce` is told a scope that has something new, and `saw`
    what of a batch may be stored.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        home: Home,
        announce: Callable[[str], None],
        saw: Callable[[Sequence[Event]], None] = lambda events: None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._home = home
        self._announce = announce
        self._saw = saw
        self.rules = rules(settings.privacy, home)
        self._counts: BoundedDict[tuple[str, str], dict[str, int]] = BoundedDict(COUNTED)

    def cursor(self, source: str, key: str) -> dict[str, Any] | None:
        """What a source last committed under a key."""
        with self._store.read() as session:
            stored = cursors.find_cursor(session, source, key)
        return stored["cursor"] if stored else None

    def take(self, source: str, batch: Batch) -> int:
        """Store a batch and its cursor together; how many events were new.

        While MEMO is paused the cursor alone moves on, so that what is done meanwhile is never recorded.
        """
        paused = pauses.current(self._home) is not None
        by_scope, touched = self._admitted(source, batch.events, [NOW_PAUSED] if paused else self._in_force)
        with self._store.write() as session:
            repeats = self._repeats(session, source, batch)
            asked, new = [], 0
            for scope, given in sorted(by_scope.items()):  # one order of locks for all
                found = events.find_new_events(session, scope, source, given)
                added = events.add_events(session, scope, found, [repeats.key(event) for event in found])
                new += added
                if added and scopes.record_request(session, scope, self._settings.predict.stale_s):
                    asked.append(scope)
            kept = {"cursor": batch.cursor, "repeats": _newest(repeats.counts)}
            cursors.record_cursor(session, source, batch.cursor_key, kept)
            redactions.add_redactions(session, source, touched)
        self._counts[source, batch.cursor_key] = repeats.counts  # now that they are committed
        for scope in asked:
            self._announce(scope)
        self._saw([event for given in by_scope.values() for event in given])
        return new

    def take_past(self, source: str, past: Past) -> tuple[int, int]:
        """Store what a source found of the time before it watched; how many events are kept, how many of them new.

        Also while MEMO is paused: what was done before is told only this once.
        """
        found, repeats, new = iter(past.events), events.Repeats(), 0
        first = self.cursor(source, past.cursor_key) is None  # or one that was broken off: all is looked at
        begun: dict[str, int] = {}
        while chunk := list(islice(found, CHUNK)):
            by_scope, touched = self._admitted(source, chunk, self._in_force)
            with self._store.write() as session:
                for scope, given in sorted(by_scope.items()):
                    begun.setdefault(scope, 0 if first else events.find_last_seq(session, scope))
                    imported = [replace(event, source=events.IMPORT, source_key=source) for event in given]
                    new += events.add_events(session, scope, imported, [repeats.key(event) for event in imported])
                redactions.add_redactions(session, source, touched)
        asked = []
        with self._store.write() as session:
            for scope, before in sorted(begun.items()):
                if not events.is_in_order(session, scope, before):
                    events.record_time_order(session, scope)
                if new and scopes.record_request(session, scope, self._settings.predict.stale_s):
                    asked.append(scope)
            cursors.record_cursor(session, source, past.cursor_key, {"cursor": past.cursor, "repeats": {}})
        for scope in asked:
            self._announce(scope)
        kept = sum(repeats.counts.values())
        log.info("what was before is stored", source=source, events=kept, new=new)
        return kept, new

    @property
    def _in_force(self) -> Rules:
        return [awake(self._home), *self.rules]

    def _admitted(
        self, source: str, found: Sequence[Event], in_force: Rules
    ) -> tuple[dict[str, list[Event]], Counter[str]]:
        """The events that may be stored, by scope, and how many each rule changed or left out."""
        admitted, touched = redact(found, in_force)
        by_scope: dict[str, list[Event]] = defaultdict(list)
        for event in admitted:
            if reason := implausible(event.at):
                log.warning("an event was rejected", source=source, reason=reason)
                continue
            named = event if event.scope else replace(event, scope=self._settings.scope)
            by_scope[named.scope].append(named if named.source else replace(named, source=source))
        return by_scope, touched

    def _repeats(self, session: Session, source: str, batch: Batch) -> events.Repeats:
        if batch.anew:
            return events.Repeats(limit=REMEMBERED)
        counts = self._counts.get((source, batch.cursor_key), {})
        stored = cursors.find_cursor(session, source, batch.cursor_key)
        if stored and stored["repeats"] != _newest(counts):  # of a process before, or some were forgotten meanwhile
            counts = dict(stored["repeats"])
        return events.Repeats(counts, limit=REMEMBERED)


def _newest(counts: dict[str, int]) -> dict[str, int]:
    return dict(reversed(list(islice(reversed(counts.items()), KEPT))))
