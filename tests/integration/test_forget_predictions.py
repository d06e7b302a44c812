"""`memo forget` and predictions that only name the forgotten: they stay, with ledgers, limits and counts."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from calling import memo, printed
from sqlalchemy import select, text
from stores import store_events

from db.dispatch import dispatches
from db.engine import Store
from db.intake import counts
from db.models import Base, DailyCountRow, DispatchRow, EventRow, PredictionRow
from db.prediction import amendment, predictions
from db.prediction.predictions import Answers
from db.upkeep import deletion
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.predictions import Candidate, NextAction, NextPlace, Upcoming
from memo.protocols import DispatchContext
from worker.dispatch.select import Decision, record
from worker.gates.attempt import Attempt

SCOPE = "ada@host"
NOW = datetime.now(UTC).replace(microsecond=0)
GIMP = Event(NOW, Operation.WINDOW_FOCUS, "Kite-91", "gimp")
START_GIMP = Event(NOW, Operation.PROCESS_START, "gimp", executable="/usr/bin/gimp")
MAIL = Event(NOW, Operation.WINDOW_FOCUS, "Inbox", "mail")
CALC = Event(NOW, Operation.WINDOW_FOCUS, "Sheet", "calc")
NAMES = ("gimp", "Kite-91")


@pytest.fixture
def store(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    monkeypatch.setenv("MEMO_SCOPE", SCOPE)
    with store.write() as session:
        store_events(session, SCOPE, [MAIL, GIMP, MAIL, CALC, MAIL])
    return store


def predict(store: Store, after: int, *of: Event, **more: Any) -> int:
    """Store a prediction after the event of this number, with the same actions in all lists; return its id."""
    share = 1 / (1 + len(of))
    said = [one.action for one in of]
    with store.write() as session:
        ids = session.scalars(select(EventRow.id).order_by(EventRow.seq)).all()
        for name in more.keys() & {"outcome_event_id", "person_event_id", "upcoming_event_id"}:
            more[name] = ids[more[name]]
        row = PredictionRow(
            scope=SCOPE,
            made_at=NOW,
            last_event_id=ids[after],
            model_version=f"v{len(more)}{len(of)}",
            candidates=[Candidate(one, share, NOW).as_dict("en") for one in said],
            upcoming=[Upcoming(one, share).as_dict("en", NOW) for one in said],
            person=[NextAction(one, share).as_dict("en", NOW) for one in said],
            places=[NextPlace(one.coarse, share).as_dict() for one in said],
            new_place=share,
            new_probability=share,
            latency_ms=1.0,
            **more,
        )
        predictions.record_answers(session, Answers(made=[row]))
        return row.id


def act(store: Store, prediction: int, handler: str, action: Action, result: Any = None) -> None:
    """Store a completed attempt of a handler."""
    with store.write() as session:
        claim = dispatches.Claim(prediction, SCOPE, handler, action, 0.5, dispatches.DONE)
        [number] = dispatches.add_claims(session, [claim]).values()
        session.get_one(DispatchRow, number).result = result


def forget(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed("forget", *words, "--json", "--yes"))
    return found


def is_named(store: Store, home: Home) -> bool:
    """Return whether any row or any file names what was forgotten."""
    with store.read() as session:
        rows = [str(row) for table in Base.metadata.sorted_tables for row in session.execute(select(table))]
    files = [path.read_bytes() for path in home.root.rglob("*") if path.is_file()]
    return any(name in row for name in NAMES for row in rows) or any(
        name.encode() in file for name in NAMES for file in files
    )


def are_counts_right(store: Store) -> bool:
    with store.read() as session:
        rows = session.scalars(select(DailyCountRow)).all()
        kept = {(row.scope, row.day, row.version): {name: getattr(row, name) for name in counts.NAMES} for row in rows}
        counted = counts.count_events(session) | counts.count_predictions(session)
    return kept == {key: dict.fromkeys(counts.NAMES, 0) | numbers for key, numbers in counted.items()}


def read(store: Store, number: int) -> PredictionRow:
    with store.read() as session:
        return session.get_one(PredictionRow, number)


def test_forget_takes_out_only_what_names_it(store: Store, home: Home) -> None:
    judged = {f"{name}_event_id": 3 for name in ("outcome", "person", "upcoming")}
    ranks = {"outcome_rank": 2, "place_rank": 2, "person_rank": 2, "upcoming_rank": 2}
    named = {"outcome_operation": CALC.operation, "outcome_target": CALC.target}
    kept = predict(store, 2, GIMP, CALC, START_GIMP, **judged, **ranks, **named)
    predict(store, 1, CALC)
    act(store, kept, "notify", CALC.action)
    act(store, kept, "ask", GIMP.action)
    act(store, kept, "plugin", CALC.action, {"window": "Kite-91"})
    found = forget("--app", "gimp")
    assert [found[name] for name in ("events", "predictions", "amended", "all_predictions")] == [1, 1, 1, 2]
    row = read(store, kept)
    for entries in (row.candidates, row.upcoming, row.person):
        assert [entry["action"]["place"] for entry in entries] == ["calc"]
        assert entries[0]["probability"] == 0.25, "the share of what is gone is given to no other candidate"
    assert (row.operation, row.target, row.app, row.probability) == (*CALC.action, 0.25)
    assert row.expected_at == NOW and row.new_place == pytest.approx(1 - row.places[0]["probability"])
    assert {name: getattr(row, name) for name in ranks} == ranks, "as it was shown"
    with store.read() as session:
        assert session.scalars(select(DispatchRow.handler)).all() == ["notify", "plugin"]
        assert session.scalars(select(DispatchRow.result)).all() == [None, None]
        assert dispatches.count_last_hour(session, SCOPE, "notify")[0] == 1
    assert are_counts_right(store)
    assert forget("--app", "gimp")["found"] is False


@pytest.mark.parametrize("words", [("--app", "gimp"), ("--text", "kite-91"), ("--text", "gimp")])
def test_forget_of_an_outcome_keeps_its_prediction(store: Store, home: Home, words: tuple[str, str]) -> None:
    judged = {f"{name}_event_id": 1 for name in ("outcome", "person", "upcoming")}
    ranks = {"outcome_rank": 1, "place_rank": 1, "person_rank": 1, "upcoming_rank": 1}
    named = {"outcome_operation": GIMP.operation, "outcome_target": GIMP.target, "is_late": True}
    kept = predict(store, 0, GIMP, CALC, **judged, **ranks, **named)
    open_one = predict(store, 4, CALC, GIMP)
    assert forget(*words)["amended"] == 2
    row = read(store, kept)
    assert not any(getattr(row, name) for name in (*judged, *ranks, "is_late", "outcome_target"))
    with store.read() as session:
        assert [row.id for row, _ in predictions.find_unsettled(session, SCOPE)] == [open_one], (
            "it is not settled again"
        )
    assert are_counts_right(store)
    assert words[1] == "kite-91" or not is_named(store, home)
    assert "Kite-91" not in str([read(store, number).candidates for number in (kept, open_one)])


def test_prediction_of_the_forgotten_alone_stays_empty(store: Store) -> None:
    kept = predict(store, 2, GIMP)
    assert forget("--app", "gimp")["amended"] == 1
    row = read(store, kept)
    assert (row.candidates, row.operation, row.probability, row.places, row.new_place) == ([], None, None, [], 1.0)


def test_amending_interrupted_is_completed(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [predict(store, after, CALC, GIMP) for after in (0, 2, 3)]
    amend, calls = amendment.delete_mentions, list[int]()

    def once(*given: Any) -> int:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return amend(*given)

    with monkeypatch.context() as patched:
        patched.setattr("forget.erase_rows.FEWEST", 1)
        patched.setattr(amendment, "delete_mentions", once)
        assert memo("forget", "--app", "gimp", "--yes").exit_code
    assert len(read(store, kept[0]).candidates) == 1 and len(read(store, kept[2]).candidates) == 2
    assert forget("--app", "gimp")["amended"] == 2
    assert not is_named(store, home) and are_counts_right(store)


def test_handler_that_waited_does_not_act_on_the_forgotten(store: Store) -> None:
    kept = predict(store, 2, GIMP, CALC)
    context = DispatchContext(kept, SCOPE, NOW, NOW + timedelta(minutes=10))
    waiting = [
        Decision(Attempt(one.app, Candidate(one.action, 0.5, NOW), context), dispatches.CLAIMED) for one in (GIMP, CALC)
    ]
    forget("--app", "gimp")
    assert record(store, waiting).keys() == {(kept, "calc")}


def test_share_is_shown_before_the_question(store: Store) -> None:
    predict(store, 1, CALC)
    predict(store, 2, CALC, GIMP)
    predict(store, 3, CALC)
    shown = memo("forget", "--app", "gimp", typed="n\n").stdout
    assert "Predictions deleted because they follow these events: 1 of 3." in shown
    assert "such as a candidate or an outcome: 1." in shown


def test_window_without_an_app_is_no_place_any_more(store: Store) -> None:
    """The title of such a window stands for the app."""
    untitled = Event(NOW + timedelta(hours=1), Operation.WINDOW_FOCUS, "Kite-91 alone")
    with store.write() as session:
        store_events(session, SCOPE, [untitled])
    kept = predict(store, 3, CALC, untitled)
    assert forget("--since", (NOW + timedelta(minutes=30)).isoformat())["amended"] == 1
    assert "Kite" not in str(read(store, kept).places) and len(read(store, kept).places) == 1


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)  # SQLite has one writer
def test_forget_passes_over_a_prediction_that_goes_meanwhile(store: Store) -> None:
    gone, stays = predict(store, 2, GIMP), predict(store, 3, GIMP, CALC)

    def amend() -> None:
        with store.write() as session:
            amendment.delete_mentions(session, [gone, stays], lambda _, entry: "gimp" in str(entry), [])

    with ThreadPoolExecutor(1) as other:
        with store.write() as session:
            deletion.delete_predictions_by_id(session, [gone])
            amending = other.submit(amend)
            while not is_anyone_waiting(store):
                time.sleep(0.01)
        amending.result()
    assert "gimp" not in str(read(store, stays).candidates) and are_counts_right(store)


def is_anyone_waiting(store: Store) -> bool:
    """Return whether a connection waits for a lock."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with store.read() as session:
        return session.scalar(text(waiting)) is not None
