"""The way of a batch into the store: scope, privacy and plausibility, one transaction, then a request to predict."""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from collector.privacy.rules import CachedRules, Rules, make_pause_rules, make_rules
from data.importers.line import implausible
from db.engine import Store, UnstorableError
from db.intake import cursors, events, redactions, scopes, time_order
from db.pace import BatchPace
from memo.config.live import Derived
from memo.core.bounded import BoundedDict
from memo.core.events import Action, Event, Operation
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Past

MAX_LINES = 10_000  # newest lines of a cursor whose repeats are counted; equal lines mostly come close together
MAX_STORED_LINES = 256  # of these, the newest that are stored with the cursor, for after a restart
MAX_KNOWN = 1_000  # cursors that are compared before they move; a source reads its cursor shortly before
MAX_CURSORS = 8  # cursors, such as files, whose repeats are counted in memory
CHUNK = 2_000  # events of a past stored in one transaction, at most
LEAST = 200  # and at least: on a slow disk or busy machine, a transaction of fewer takes almost as long

Given = TypeVar("Given")
ByScope = dict[str, list[Event]]
UNSTORABLE = "unstorable"  # counted like a privacy rule
Focused = dict[str, Action | None]
"""The focus reported last in each scope, as rules left it; empty before a source has reported one."""

log = get_logger(__name__)


class Intake:
    """Stores the batches of all sources, each of which calls from a thread of its own.

    After the commit, `announce` is called with each scope that has new events, and `on_stored` with the events that
    passed the privacy rules.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        home: Home,
        announce: Callable[[str], None],
        on_stored: Callable[[Sequence[Event]], None] = lambda events: None,
        chunk: int = CHUNK,
    ) -> None:
        self._store, self._settings, self._home, self._chunk = store, settings, home, chunk
        self._announce, self._on_stored = announce, on_stored
        self._rules = Derived(settings, home, lambda now: CachedRules(make_rules(now.privacy, home)))
        self._counts: BoundedDict[tuple[str, str], BoundedDict[str, int]] = BoundedDict(MAX_CURSORS)
        self._known: BoundedDict[tuple[str, str], dict[str, Any] | None] = BoundedDict(MAX_KNOWN)
        self._counts_lock = threading.Lock()
        self._focused: dict[str, Focused] = {}  # by source

    def cursor(self, source: str, key: str) -> dict[str, Any] | None:
        """Return the cursor that a source last committed under a key; what it reads from there is stored once."""
        found = self._stored_cursor(source, key)
        self._know(source, key, found)
        return found

    def _stored_cursor(self, source: str, key: str) -> dict[str, Any] | None:
        with self._store.read() as session:
            stored = cursors.find_cursor(session, source, key)
        return stored["cursor"] if stored else None

    def _know(self, source: str, key: str, cursor: dict[str, Any] | None) -> None:
        """Remember where a cursor stands, as JSON has it."""
        with self._counts_lock:
            self._known[source, key] = json.loads(json.dumps(cursor))

    def _move_cursor(
        self, session: Session, source: str, read: Batch | Past, repeats: dict[str, int] | None = None
    ) -> None:
        """Store the cursor. Raises CursorMovedError if another process has moved it since the source read on from it.

        Called last in a transaction: `forget` locks scopes before cursors, too.
        """
        key = source, read.cursor_key
        if key in self._known:
            cursors.lock_cursor(session, *key, self._known[key])
        cursors.record_cursor(session, *key, {"cursor": read.cursor, "repeats": repeats or {}})

    def store_batches(self, source: str, *batches: Batch) -> int:
        """Store batches of different cursors, with these, in one transaction; return the number of new events.

        While MEMO is paused the cursors advance, too, so that events of the pause are never recorded.
        """
        rules = self._rules.now()
        focused = dict(self._focused.get(source, {}))
        stood = None if focused else self._stood(source, batches)
        admitted = [self._admit(source, batch.events, rules, focused, stood, batch.stood) for batch in batches]
        try:
            new, requested, counted = self._write(source, batches, admitted)
        except UnstorableError as error:
            if len(batches) > 1:  # find which one, in transactions of their own
                return sum(self.store_batches(source, batch) for batch in batches)
            self._set_aside(source, *admitted[0], error, event_of=lambda event: event)
            new, requested, counted = self._write(source, batches, admitted)
        with self._counts_lock:
            for batch, repeats in zip(batches, counted, strict=True):
                self._counts[source, batch.cursor_key] = repeats.keep()
        for batch in batches:
            self._know(source, batch.cursor_key, batch.cursor)
        self._focused[source] = focused
        for scope in requested:
            self._announce(scope)
        self._on_stored([event for by_scope, _ in admitted for kept in by_scope.values() for event in kept])
        return new

    def _write(
        self, source: str, batches: Sequence[Batch], admitted: Sequence[tuple[ByScope, Counter[str]]]
    ) -> tuple[int, list[str], list[events.Repeats]]:
        """Store what was admitted of each batch; return the number of new events, the scopes to ask for, and counts."""
        requested, new, counted = list[str](), 0, list[events.Repeats]()
        with self._store.write() as session:
            for scope in sorted({scope for by_scope, _ in admitted for scope in by_scope}):
                scopes.lock_scope(session, scope)  # all threads lock scopes in one order
            for batch, (by_scope, _) in zip(batches, admitted, strict=True):
                repeats = self._find_repeats(session, source, batch)
                for scope, events_of_scope in by_scope.items():
                    unseen = events.find_new_events(session, scope, source, events_of_scope)
                    added = events.add_events(session, scope, unseen, [repeats.key(event) for event in unseen])
                    new += added
                    if added and scopes.record_request(session, scope, self._settings.predict.stale_s):
                        requested.append(scope)
                counted.append(repeats)
            redactions.add_redactions(session, source, sum((touched for _, touched in admitted), Counter[str]()))
            for batch, repeats in zip(batches, counted, strict=True):
                self._move_cursor(session, source, batch, repeats.find_newest(MAX_STORED_LINES))
        return new, requested, counted

    def _set_aside(
        self,
        source: str,
        by_scope: dict[str, list[Given]],
        touched: Counter[str],
        error: UnstorableError,
        event_of: Callable[[Given], Event],
    ) -> None:
        """Take out the events that can't be stored, as the database refuses a value of theirs, and count them."""
        for scope, given in by_scope.items():
            by_scope[scope] = [one for one in given if self._fits(scope, event_of(one))]
            touched[UNSTORABLE] += len(given) - len(by_scope[scope])
        log.warning("events_set_aside", source=source, events=touched[UNSTORABLE], reason=str(error))

    def _fits(self, scope: str, event: Event) -> bool:
        """Return whether the database takes an event; nothing is stored."""
        with suppress(UnstorableError), self._store.write() as session, session.begin_nested() as attempt:
            events.add_events(session, scope, [event], [events.Repeats().key(event)])
            attempt.rollback()
            return True
        return False

    def store_past(self, source: str, past: Past, with_cursor: bool = True) -> tuple[int, int]:
        """Store the events from before a source watched; return how many were kept, and how many of them are new.

        This works while MEMO is paused, too: a source reports its past only once. A file has no cursor.
        """
        remaining, repeats, kept, new = iter(past.events), events.Repeats(), 0, 0
        pace = BatchPace(self._chunk, LEAST)
        # without a cursor yet, an earlier try may have been interrupted: check all events
        first = with_cursor and self._stored_cursor(source, past.cursor_key) is None
        last_seqs: dict[str, int] = {}
        focused: Focused = {}
        try:
            while chunk := list(islice(remaining, pace.size)):
                by_scope, touched = self._admit(source, chunk, self._rules.now(), focused)
                keyed = {
                    scope: [(_imported(event, source), repeats.key(event)) for event in admitted]
                    for scope, admitted in by_scope.items()
                }
                write = partial(self._write_past, pace, source, keyed, touched, last_seqs, first)
                try:
                    new += write()
                except UnstorableError as error:
                    self._set_aside(source, keyed, touched, error, event_of=itemgetter(0))
                    new += write()
                kept += sum(map(len, keyed.values()))
        except BaseException:
            if not with_cursor:  # nobody repeats it
                self._order(last_seqs)
            raise
        requested = []
        self._order(last_seqs)
        with self._store.write() as session:
            for scope in sorted(last_seqs):
                if new and scopes.record_request(session, scope, self._settings.predict.stale_s):
                    requested.append(scope)
            if with_cursor:
                self._move_cursor(session, source, past)
        if with_cursor:
            self._know(source, past.cursor_key, past.cursor)
        for scope in requested:
            self._announce(scope)
        log.info("past_stored", source=source, events=kept, new=new)
        return kept, new

    def _write_past(
        self,
        pace: BatchPace,
        source: str,
        by_scope: dict[str, list[tuple[Event, str]]],
        touched: Counter[str],
        last_seqs: dict[str, int],
        first: bool,
    ) -> int:
        """Store a chunk of a past, events with their keys; return the number of new ones."""
        new = 0
        with pace.write(self._store) as session:
            for scope, keyed in sorted(by_scope.items()):
                if scope not in last_seqs:
                    last_seqs[scope] = 0 if first else events.find_last_seq(session, scope)
                new += events.add_events(session, scope, [event for event, _ in keyed], [key for _, key in keyed])
            redactions.add_redactions(session, source, touched)
        return new

    def _order(self, last_seqs: Mapping[str, int]) -> None:
        """Order the events of each scope by time, unless all after its last one are in order."""
        for scope, last_seq in sorted(last_seqs.items()):
            time_order.record_time_order(self._store, scope, last_seq)

    def _stood(self, source: str, batches: Sequence[Batch]) -> Action | None:
        """Return the last stored focus of a source that watches a screen: it reports a focus now and has no cursor."""
        told = (event for batch in batches for event in batch.events)
        is_screen = any(event.operation is Operation.WINDOW_FOCUS for event in told)
        if not is_screen or any(batch.cursor for batch in batches):
            return None
        with self._store.read() as session:
            return events.find_last_focus(session, self._settings.scope, source)

    @property
    def rules(self) -> Rules:
        """The privacy rules as they applied last; a text of an error can be redacted even if memo.toml is wrong."""
        return self._rules.latest.rules

    def _admit(
        self,
        source: str,
        reported: Sequence[Event],
        rules: CachedRules,
        focused: Focused,
        stood: Action | None = None,
        is_standing: bool = False,
    ) -> tuple[ByScope, Counter[str]]:
        """Return the events that may be stored, by scope, and how many events each rule changed or dropped.

        A focus that rules made equal to the one before is left out: only the title differed. The first focus of a
        source is left out, too, if it is the one that `stood` before: nobody has switched to it. If nothing is known of
        before, it is left out if the source itself says that it stood (`is_standing`).
        """
        touched, pause = Counter[str](), make_pause_rules(self._home)
        by_scope: ByScope = defaultdict(list)
        for one in reported:
            event, names = rules.apply_to(one, pause)
            if names:
                touched.update(names)
            latest = focused.get(one.scope) if focused else stood
            is_focus, is_first = one.operation is Operation.WINDOW_FOCUS, not focused
            is_same = event is not None and is_focus and latest == event.action
            is_repeat = is_same and (bool(names) or is_first) or is_standing and is_first and stood is None
            if is_focus:
                focused[one.scope] = None if event is None else event.action
            if event is None or is_repeat:
                continue
            if reason := implausible(event.at):
                log.warning("event_rejected", source=source, reason=reason)
                continue
            if not (event.scope and event.source):
                event = replace(event, scope=event.scope or self._settings.scope, source=event.source or source)
            by_scope[event.scope].append(event)
        return by_scope, touched

    def _find_repeats(self, session: Session, source: str, batch: Batch) -> events.Repeats:
        if batch.from_start:
            return events.Repeats(BoundedDict(MAX_LINES))
        known = events.Repeats(self._counts.get((source, batch.cursor_key)) or BoundedDict(MAX_LINES))
        stored = cursors.find_cursor(session, source, batch.cursor_key)
        if stored is None or stored["repeats"] == known.find_newest(MAX_STORED_LINES):
            return known
        return events.Repeats(BoundedDict(MAX_LINES, stored["repeats"]))  # after a restart, or a forget meanwhile


def _imported(event: Event, source: str) -> Event:
    if event.source == events.IMPORT and event.source_key:
        return event
    return replace(event, source=events.IMPORT, source_key=event.source_key or source)
