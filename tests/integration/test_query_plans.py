"""No statement of what runs all the time, or of what a person waits for, reads a whole table of events or predictions.

Every statement is captured as the real code sends it, and its plan is read on both databases.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from alone import HistoryAlone, lone_updater
from conftest import empty
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.event import remove
from stores import make_store

from cli.predictions import watch
from collector.intake import Intake
from db.dispatch import ledger
from db.engine import Store, open_store
from db.intake import events
from db.page import acts
from db.page.acts import ActFilter
from db.prediction import predictions
from db.upkeep import figures, health, retrain
from forget import match
from forget.dependents import find_dependents
from forget.query import ForgetQuery
from memo import history
from memo.core.errors import MemoError
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.messaging.stored_messages import find_messages_after
from memo.protocols import Batch
from memo.store.public_views import open_query
from worker.effects.seen_before import SeenBefore
from worker.prediction.explanation import explain

SCOPE = "ada@host"
START = datetime.now(UTC) - timedelta(hours=1)
Sent = list[tuple[str, Any]]
LARGE = {"events", "predictions", "p", "e", "w"}
"""The tables that grow, and what they are called in the views."""
ALIAS = re.compile(r"\b(?:events|predictions) AS (\w+)")
FIRST_ONLY = re.compile(r"LIMIT|\b(?:min|max)\(|EXISTS", re.IGNORECASE)
"""In statements that stop at the first rows of an index."""
BROAD = ("(scope=?)", "(scope=? AND operation=?)")
BROAD_IN_POSTGRES = re.compile(r"(?:\W*(?:scope|operation)\W*::text = '[^']*'::text\W*(?:AND)?)*")
"""Conditions of an index that much of a table meets: most stores have but one scope, and events are of few kinds."""


@contextmanager
def captured() -> Iterator[Sent]:
    """Collect all statements that read or change a table that grows."""
    sent: Sent = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if re.search(r"\b(?:events|prediction\w*)\b", statement) and re.match(r"SELECT|WITH|UPDATE|DELETE", statement):
            sent.append((statement, parameters[0] if many else parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        remove(Engine, "before_cursor_execute", note)


def scans(store: Store, sent: Sent) -> list[str]:
    """Return the statements that read a whole table, each with the step of its plan that does."""
    assert sent, "nothing was captured"
    with store.reader.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        find = _scan_of_sqlite if is_sqlite else _scan_of_postgres
        if not is_sqlite:  # small tables are read whole wherever that is possible
            connection.execute(text("SET enable_seqscan = off"))
        return [f"{step}: {statement}" for statement, given in sent if (step := find(connection, statement, given))]


def _scan_of_sqlite(connection: Connection, statement: str, given: Any) -> str:
    large = LARGE | set(ALIAS.findall(statement))
    for *_, step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given):
        verb, name = [*str(step).split(), ""][:2]
        is_whole = verb == "SCAN" or (step.endswith(BROAD) and "_unsent" not in step)
        is_whole = is_whole and not FIRST_ONLY.search(statement)
        if name in large and (is_whole or step.endswith("(scope=? AND at<?)")):
            return str(step)
    return ""


def _scan_of_postgres(connection: Connection, statement: str, given: Any) -> str:
    [[plan]] = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", given)
    plan = json.loads(plan) if isinstance(plan, str) else plan
    stops = bool(FIRST_ONLY.search(statement))
    return next((step for step in _steps(plan[0]["Plan"]) if not stops or step.startswith("Seq")), "")


def _steps(plan: dict[str, Any]) -> Iterator[str]:
    if plan.get("Relation Name") in LARGE and plan["Node Type"] != "ModifyTable":
        condition = plan.get("Index Cond", plan.get("Recheck Cond", ""))
        is_partial = "_unsent" in plan.get("Index Name", "")
        if "Scan" in plan["Node Type"] and not is_partial and BROAD_IN_POSTGRES.fullmatch(condition):
            yield f"{plan['Node Type']} on {plan['Relation Name']} {condition}"
    for below in plan.get("Plans", ()):
        yield from _steps(below)


def fill(store: Store) -> None:
    """Store so much that a plan is chosen as in a large store."""
    past = list[Event]()
    for nth in range(FILLED, 0, -2):
        at, later = (START - timedelta(minutes=minutes) for minutes in (nth, nth - 1))
        past.append(Event(at, Operation.WINDOW_FOCUS, f"title {nth % 1_000}", app=f"app {nth // 2 % 200}"))
        past.append(Event(later, Operation.WEB_VISIT, f"site {nth % 300}.example"))
    with store.write() as session:
        events.add_events(session, SCOPE, past, [f"key {nth}" for nth in range(FILLED)])
        session.execute(text(PREDICTIONS))
    if store.writer.dialect.name == "postgresql":  # it does so by itself after a while; SQLite never does
        with store.write() as session:
            session.execute(text("ANALYZE"))


FILLED, LEARNED = 4_000, 20
PREDICTIONS = """
INSERT INTO predictions (scope, made_at, last_event_id, model_version, candidates, upcoming, new_probability,
    latency_ms, with_model, published_at, outcome_event_id, person_event_id, upcoming_event_id)
SELECT scope, at, id, 'v1', '[]', '[]', 0, 0, true, at, id + 1, id + 1, id + 1 FROM events WHERE id % 3 = 2
    AND id < (SELECT max(id) FROM events)
"""


class Filled(NamedTuple):
    """A large store, and what stores an event in it as sources do and lets the worker answer it."""

    store: Store
    live: Callable[[int], None]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(request: pytest.FixtureRequest) -> Iterator[Filled]:
    """One on each database for all tests: each reads statements of its own, and an event more harms no other."""
    with TemporaryDirectory() as folder, ExitStack() as opened:
        home, url = Home(Path(folder)), ""
        if request.param == "postgres":
            url = request.getfixturevalue("migrated_postgres")
            opened.callback(empty, url)
        settings = Settings(database_url=url or home.database_url, scope=SCOPE)
        make_store(settings, home)
        store = opened.enter_context(closing(open_store(settings, home)))
        yield Filled(store, lived_in(store, settings, home))


def lived_in(store: Store, settings: Settings, home: Home) -> Callable[[int], None]:
    updater = lone_updater(store, settings, home, LEARNED)
    fill(store)
    intake = Intake(store, settings, home, lambda scope: None)

    def happen(nth: int) -> None:
        at, site = START + timedelta(minutes=nth), f"{'abc'[nth % 3]}.example"
        intake.store_batches("web", Batch([Event(at, Operation.WEB_VISIT, site, detail="Page")], "visits", {"at": nth}))
        updater.update(SCOPE)

    for nth in range(6):
        happen(nth)
    return happen


@pytest.fixture
def store(filled: Filled) -> Store:
    return filled.store


@pytest.fixture
def live(filled: Filled) -> Callable[[int], None]:
    return filled.live


@pytest.fixture
def settings(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those of a process that uses the store."""
    monkeypatch.setenv("MEMO_DATABASE_URL", store.writer.url.render_as_string(hide_password=False))
    monkeypatch.setenv("MEMO_SCOPE", SCOPE)
    return Settings.load()


def test_live_path_reads_no_whole_table(
    store: Store, live: Callable[[int], None], settings: Settings, home: Home
) -> None:
    seen = SeenBefore(settings, home)
    with captured() as sent:
        live(7)
        with store.read() as session:
            health.find_problems(session, settings, home, is_running=True)
            predictions.find_unasked_scopes(session)
            retrain.find_due_scopes(session, settings.schedule, START)
            retrain.find_obstacle(session, home, settings.schedule, START)
            ledger.find_settled(session, {})
        seen.check(Action(Operation.WEB_VISIT, "a.example"), SCOPE)
        for unseen in (Action(Operation.WINDOW_FOCUS, "", "App"), Action(Operation.FILE_ACCESS, "file", "/folder")):
            with pytest.raises(MemoError):
                seen.check(unseen, SCOPE)
        assert seen.executable("App") == ""
    assert len(sent) > 15
    assert scans(store, sent) == []


def test_status_and_watch_read_no_whole_table(store: Store, settings: Settings) -> None:
    with captured() as sent:
        with store.read() as session:
            figures.find_newest_id(session)
            assert figures.find_figures(session, SCOPE)["events"] > FILLED
        message = {"scope": SCOPE, "event": {"at": START.isoformat(), "action": VISIT}}
        assert not watch._was_seen(settings, message)
    assert scans(store, sent) == []


@pytest.mark.parametrize("query", [ForgetQuery(site="a.example"), ForgetQuery(app="app 3")], ids=["site", "app"])
def test_match_of_forget_reads_no_whole_table(store: Store, settings: Settings, query: ForgetQuery) -> None:
    with store.read() as session, captured() as sent:
        matches = match.find_matches(session, query, lambda done, total: None)
        dependents = find_dependents(session, matches)
    assert matches.ids and matches.orphans and dependents.followers and dependents.amended
    assert scans(store, sent) == []


VISIT = {"operation": "web_visit", "target": "a.example", "place": ""}


def test_why_reads_no_whole_table(
    store: Store, settings: Settings, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.prediction.explanation.Serving", HistoryAlone)
    monkeypatch.setattr("worker.prediction.scope_model.RANKED", LEARNED)
    with store.read() as session:
        newest = figures.find_newest_id(session)
    with captured() as sent:
        assert explain(settings, home, newest, lambda _done, _total: None)["id"] == newest
    assert scans(store, sent) == []


def test_history_and_messages_read_no_whole_table(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: Sent = []

    @contextmanager
    def noting(given: Settings) -> Iterator[Callable[[str, Sequence[Any]], Any]]:
        with open_query(given) as query, store.reader.connect() as connection:
            mark = "?" if connection.dialect.name == "sqlite" else "%s"

            def noted(statement: str, values: Sequence[Any]) -> Any:
                times = (f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value for value in values)
                sent.append((statement.replace("?", mark), tuple(times)))
                return query(statement, values)

            yield noted

    monkeypatch.setattr(history, "open_query", noting)
    assert history.rows(since=START)
    assert history.rows(since=START, scope=SCOPE, limit=20)
    assert history.rows(limit=20)
    with noting(settings) as query:
        assert find_messages_after(query, 0, 10, "en")
        assert find_messages_after(query, 0, 10, "en", START)
    assert scans(store, sent) == []


DAY = timedelta(days=1)
FILTERS = [
    ActFilter(),
    ActFilter(app="app 3"),
    ActFilter(site="a.example"),
    ActFilter(text="absent"),
    ActFilter(operation=Operation.WEB_VISIT),
    ActFilter(since=START - DAY, until=START),
    ActFilter(is_hit=True),
]


@pytest.mark.parametrize("chosen", FILTERS)
def test_the_page_sorts_no_whole_table(store: Store, chosen: ActFilter) -> None:
    with store.read() as session, captured() as sent:
        acts.find_page(session, SCOPE, chosen, 3, None)
        acts.find_page(session, SCOPE, chosen, 3, (START - DAY, 1))
    assert len(sent) >= 2 and sorts(store, sent) == []


def test_a_look_at_health_reads_no_whole_table(store: Store, settings: Settings, home: Home) -> None:
    with store.read() as session, captured() as sent:
        health.find_problems(session, settings, home, is_running=True)
    steps = [step for step in plan(store, sent) if re.match("SCAN events|Seq Scan on events", step)]
    assert steps == []


def plan(store: Store, sent: Sent) -> list[str]:
    """Return all steps of the plans of statements."""
    found: list[str] = []
    with store.reader.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if not is_sqlite:
            connection.execute(text("SET enable_seqscan = off"))
        for statement, given in sent:
            explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
            rows = connection.exec_driver_sql(f"{explain} {statement}", given)
            found += [str(row[-1]).strip(" ->") for row in rows]
    return found


def sorts(store: Store, sent: Sent) -> list[str]:
    """Return the steps of SQLite that sort more than the events of a moment; Postgres sorts where few are left."""
    return [step for step in plan(store, sent) if step == "USE TEMP B-TREE FOR ORDER BY"]


@pytest.mark.parametrize(
    "statement", ["SELECT count(*) FROM events", "SELECT id FROM predictions WHERE latency_ms > 1"]
)
def test_statement_that_reads_a_whole_table_is_found(store: Store, statement: str) -> None:
    with captured() as sent, store.read() as session:
        session.execute(text(statement))
    assert len(scans(store, sent)) == 1
