"""The dispatcher, on both databases: routes, gates in their order, each effect at most once."""

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pytest
from dispatching import (
    SCOPE,
    Still,
    action,
    dispatch,
    happen,
    opened_store,
    predict,
    rows,
    stopped_by,
    under,
    went,
)
from handling import candidate, context
from sqlalchemy import func, select, update
from structlog.testing import capture_logs

from db.dispatch import handlers
from db.models import DispatchRow, PredictionRow
from db.prediction import feedback, predictions
from memo.clock import pauses
from memo.core.events import Action, Operation
from memo.core.paths import Home
from memo.core.predictions import HORIZON_S, Answer, Candidate, action_as_dict
from memo.core.settings import Settings
from memo.protocols import Cost, DispatchContext, Handler, NothingToDo
from worker import handlers as installing
from worker.handlers.record import RecordHandler
from worker.resources import Resources

RECORDED = "dispatched.jsonl"
Given = list[tuple[str, Candidate, DispatchContext]]
"""What each handler was given, in order."""


@pytest.fixture
def opened(database_url: str, home: Home) -> Iterator[Resources]:
    with opened_store(database_url, home) as context:
        yield context


def lines(home: Home) -> list[dict[str, Any]]:
    file = home.root / RECORDED
    return [json.loads(line) for line in file.read_text("utf-8").split("\n")[:-1]] if file.exists() else []


class Noted(Handler):
    """A quick handler that notes what it is given; its name says what else it does."""

    quick = True

    def __init__(self, given: Given, name: str, settings: Settings, home: Home) -> None:
        self.given, self.name = given, name
        self.noticed = name == "noticed"
        self.per_hour = 1 if name == "rare" else None

    def accepts(self, action: Action) -> bool:
        if self.name == "choosy":
            raise ValueError("can't say")
        return self.name != "picky" or action.target == "picked"

    def cost(self, candidate: Candidate, context: DispatchContext) -> Cost:
        return Cost(200.0, 30_000_000) if self.name == "costly" else Cost()

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        self.given.append((self.name, candidate, context))
        if self.name.startswith("failing"):
            raise ValueError("a\x00b \ud800 went wrong")
        if self.name == "idle":
            raise NothingToDo("it runs already")
        return {"answer": "never"} if self.name == "asking" else {"by": self.name}


NAMES = ("one", "two", "failing", "picky", "choosy", "costly", "noticed", "asking", "rare", "idle")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """What was given to the handlers `NAMES`, which are installed for the test."""
    noted: Given = []

    class Installed:
        def __init__(self, name: str) -> None:
            self.name, self.load = name, partial(lambda called: partial(Noted, noted, called), name)

    def found(*, group: str, name: str = "") -> Any:
        if name == "damaged":
            return [EntryPoint(name, "no.such.module:Handler", group)]
        ours = [Installed(one) for one in NAMES if name in ("", one)]
        return ours or entry_points(group=group, name=name)

    monkeypatch.setattr(installing, "entry_points", found)
    return noted


def test_handlers_run_in_the_order_of_the_route(opened: Resources, given: Given) -> None:
    for route in (("two", "one"), ("one", "two")):
        prediction = predict(opened, target=route[0])
        dispatch(under(opened, *route), prediction)
        assert tuple(name for name, _, _ in given[-2:]) == route
        assert went(opened, prediction) == [(name, "done") for name in route]


def test_only_the_route_of_the_operation_is_taken(opened: Resources, given: Given) -> None:
    routes = {Operation.WEB_VISIT: ["one"], Operation.WINDOW_FOCUS: ["two"]}
    routed = under(opened, "one", "two", routes=routes)
    for operation in ("web_visit", "window_focus", "file_access"):
        dispatch(routed, predict(opened, operation=operation))
    assert [name for name, _, _ in given] == ["one", "two"]


@pytest.mark.parametrize("operation", [Operation.WEB_VISIT, Operation.FILE_ACCESS, Operation.WINDOW_FOCUS])
def test_what_is_in_use_is_not_offered(opened: Resources, given: Given, operation: Operation) -> None:
    happen(opened, "a", operation=operation)
    dispatch(under(opened, "one"), predict(opened, "a", operation=operation.value))
    assert rows(opened) == []
    happen(opened, "b", operation=Operation.WINDOW_FOCUS)
    dispatch(under(opened, "one"), predict(opened, "a", operation=operation.value))
    assert len(given) == (operation is Operation.WINDOW_FOCUS), "an app that is no longer in front may come back"


def test_a_likely_act_is_offered_beside_a_likelier_one_in_use(opened: Resources, given: Given) -> None:
    happen(opened, "a")
    prediction = predict(opened, "b", 0.6)
    with opened.store.write() as session:
        row = session.get_one(PredictionRow, prediction)
        row.person = [row.person[0] | {"probability": 0.7, "action": action("a")}, *row.person]
    dispatch(under(opened, "one"), prediction)
    assert [candidate.action.target for _, candidate, _ in given] == ["b"]


def test_a_handler_gets_the_likeliest_act_and_its_context(opened: Resources, given: Given) -> None:
    now = datetime.now(UTC)
    prediction = predict(opened, "Firefox", 0.75, made_at=now)
    dispatch(under(opened, "one"), prediction)
    [(_, candidate, context)] = given
    assert (candidate.action.target, candidate.probability) == ("Firefox", 0.75)
    assert candidate.expected_at == now + timedelta(seconds=HORIZON_S / 2)
    assert candidate.executable == "/usr/bin/a"
    assert context == DispatchContext(prediction, SCOPE, now, now + timedelta(seconds=HORIZON_S))
    [row] = rows(opened)
    assert (row.scope, row.probability, row.action["target"]) == (SCOPE, 0.75, "Firefox")
    assert (row.result, row.until, row.outcome) == ({"by": "one"}, context.until, None)
    assert row.duration_ms is not None and row.duration_ms >= 0


def test_a_route_of_starts_takes_the_next_event(opened: Resources, given: Given) -> None:
    named = under(opened, "one", "two", routes={Operation.PROCESS_START: ["one"], Operation.WEB_VISIT: ["two"]})
    start = [{"action": action_as_dict(Action(Operation.PROCESS_START, "git")), "probability": 0.8}]
    prediction = predict(opened, "a", 0.1)
    with opened.store.write() as session:
        session.get_one(PredictionRow, prediction).candidates = start
    dispatch(named, prediction)
    assert [candidate.action.target for _, candidate, _ in given if candidate.probability == 0.8] == ["git"]


def test_what_is_upcoming_is_given_with_the_whole_horizon(opened: Resources, given: Given) -> None:
    now = datetime.now(UTC)
    prediction = predict(opened, "a", 0.1, upcoming=[("soon", 0.9), ("later", 0.6)], made_at=now)
    dispatch(under(opened, "one", routes={}, upcoming={Operation.PROCESS_START: ["one"]}), prediction)
    [(_, candidate, context)] = given
    assert (candidate.action, candidate.probability) == (Action(Operation.PROCESS_START, "soon"), 0.9)
    assert context.until == now + timedelta(seconds=HORIZON_S)
    assert now < candidate.expected_at < context.until
    assert went(opened) == [("one", "done")], "one go at each prediction"


def test_a_handler_takes_the_best_candidate_that_it_accepts(opened: Resources, given: Given) -> None:
    soon = under(opened, "picky", upcoming={Operation.PROCESS_START: ["picky"]})
    dispatch(soon, predict(opened, "a", 0.9, upcoming=[("b", 0.8), ("picked", 0.7)]))
    assert [(candidate.action.target, candidate.probability) for _, candidate, _ in given] == [("picked", 0.7)]
    dispatch(soon, predict(opened, "a", 0.9, upcoming=[("b", 0.8)]))
    assert len(rows(opened)) == 1, "where it accepts none there is nothing to say"


def test_a_handler_takes_the_best_candidate_that_no_gate_stops(opened: Resources, given: Given) -> None:
    soon = under(opened, "one", routes={}, upcoming={Operation.PROCESS_START: ["one"]})
    for _ in range(3):
        dispatch(soon, predict(opened, upcoming=[("a", 0.9), ("b", 0.7), ("c", 0.4)]))
    assert [candidate.action.target for _, candidate, _ in given] == ["a", "b"]
    *_, last = rows(opened)
    assert (last.status, last.action["target"]) == ("stopped", "a"), "where all are stopped, the best one"
    assert last.detail.startswith("cooldown: ")


def test_a_handler_that_is_not_on_is_counted_and_does_nothing(opened: Resources, given: Given) -> None:
    prediction = predict(opened)
    dispatch(under(opened, "one", "costly", on=["one"], budget_per_hour=1), prediction)
    assert went(opened) == [("one", "done"), ("costly", "dry")]
    assert [name for name, _, _ in given] == ["one"]
    dry = rows(opened)[1]
    assert (dry.cost_ms, dry.read_bytes) == (200, 30_000_000)
    other = predict(opened, "b")
    dispatch(under(opened, "costly", on=[], budget_per_hour=1), other)
    assert stopped_by(opened, other) == "budget: 1 of 1 attempts an hour are used up", (
        "the gates are those of a real go"
    )


def test_a_handler_neither_on_nor_installed_is_skipped(opened: Resources, given: Given) -> None:
    dispatch(under(opened, "unknown", "one", on=["one"]), predict(opened))
    assert went(opened) == [("one", "done")]


def test_the_default_route_logs_and_records(opened: Resources, home: Home) -> None:
    prediction = predict(opened)
    with capture_logs() as logs:
        dispatch(opened, prediction)
    assert went(opened) == [("log", "done"), ("record", "done")]
    [entry] = logs
    assert (entry["event"], entry["prediction"], entry["target"]) == ("predicted", prediction, "a")
    assert [line["prediction"] for line in lines(home)] == [prediction]


@pytest.mark.parametrize("missing", ["unknown", "damaged"])
def test_a_handler_that_fails_is_recorded_and_the_next_runs(opened: Resources, given: Given, missing: str) -> None:
    prediction = predict(opened)
    with capture_logs() as logs:
        dispatch(under(opened, "failing", missing, "choosy", "one"), prediction)
    found = {row.handler: row for row in rows(opened)}
    assert {name: row.status for name, row in found.items()} == {
        "failing": "failed",
        missing: "failed",
        "choosy": "failed",
        "one": "done",
    }
    assert {(entry["log_level"], entry["handler"], entry["prediction"]) for entry in logs} == {
        ("error", name, prediction) for name in ("failing", missing, "choosy")
    }
    detail = found["failing"].detail
    assert detail.startswith("ValueError: a b") and detail.endswith("went wrong")
    assert found["failing"].duration_ms is not None
    assert ("no handler is installed under the name unknown" in found[missing].detail) == (missing == "unknown")


def test_a_failed_go_is_not_repeated_and_costs_no_budget(opened: Resources, given: Given) -> None:
    failing = under(opened, "failing", budget_per_hour=1)
    prediction = predict(opened)
    dispatch(failing, prediction)
    dispatch(failing, prediction)
    assert len(given) == 1
    dispatch(failing, predict(opened))
    assert len(given) == 2, "nor does it start the cooldown"


@pytest.mark.parametrize("cooldown_s", [0, 60])
def test_a_prediction_dispatched_twice_acts_once(opened: Resources, given: Given, cooldown_s: int) -> None:
    prediction = predict(opened)
    for _ in range(2):
        dispatch(under(opened, "one", "two", cooldown_s=cooldown_s), prediction)
    assert [name for name, _, _ in given] == ["one", "two"]
    assert went(opened) == [("one", "done"), ("two", "done")]


def test_what_was_cut_off_goes_on_with_the_next_handler(opened: Resources, given: Given) -> None:
    prediction = predict(opened)
    dispatch(under(opened, "one"), prediction)
    with opened.store.write() as session:
        session.execute(update(DispatchRow).values(status="claimed"))  # the process was killed in the middle
    dispatch(under(opened, "one", "two", budget_per_hour=1), prediction)
    assert went(opened) == [("one", "claimed"), ("two", "done")]


def test_what_a_gate_stopped_stays_stopped(opened: Resources, given: Given) -> None:
    prediction = predict(opened, probability=0.4)
    dispatch(under(opened, "one"), prediction)
    dispatch(under(opened, "one", minimum_probability=0.1), prediction)
    assert went(opened) == [("one", "stopped")]
    assert given == []


def test_the_confidence_gate_names_itself(opened: Resources, given: Given) -> None:
    unlikely, enough = predict(opened, "a", 0.49), predict(opened, "b", 0.5)
    dispatch(under(opened, "one"), unlikely)
    assert stopped_by(opened, unlikely) == "confidence: 0.49 is below 0.50"
    dispatch(under(opened, "one"), enough)
    assert went(opened, enough) == [("one", "done")]


def test_what_comes_too_late_is_not_done(opened: Resources, given: Given) -> None:
    stale = predict(opened, made_at=datetime.now(UTC) - timedelta(seconds=HORIZON_S + 10))
    dispatch(under(opened, "one"), stale)
    assert stopped_by(opened, stale).startswith("late: its time ended 1")
    assert given == []


def test_a_pause_stops_each_handler(opened: Resources, home: Home, given: Given) -> None:
    pauses.begin(home, None)
    paused = predict(opened)
    dispatch(under(opened, "one"), paused)
    assert stopped_by(opened, paused) == "pause: until `memo resume`"
    pauses.end(home)
    dispatch(under(opened, "one"), predict(opened))
    assert len(given) == 1


def test_what_was_refused_for_ever_is_done_after_a_yes_alone(opened: Resources, given: Given) -> None:
    def answer(about: int, answer: Answer) -> None:
        with opened.store.write() as session:
            row = predictions.find_prediction(session, about)
            assert row
            feedback.add_answer(session, row, action("a"), answer)

    answer(predict(opened), Answer.NEVER)
    answer(predict(opened), Answer.NO)
    refused, other, elsewhere = predict(opened), predict(opened, "b"), predict(opened, scope="bob@host")
    for prediction in (refused, other, elsewhere):
        dispatch(under(opened, "one"), prediction)
    assert stopped_by(opened, refused).startswith('refused: answered "never" on 20')
    assert [context.prediction_id for _, _, context in given] == [other, elsewhere]
    answer(refused, Answer.YES)
    dispatch(under(opened, "one"), predict(opened))
    assert len(given) == 3


def test_an_answer_in_a_result_is_feedback(opened: Resources, given: Given) -> None:
    dispatch(under(opened, "asking"), predict(opened))
    with opened.store.read() as session:
        [answered] = feedback.find_answers_after(session, SCOPE, 0)
    assert (answered.answer, answered.action) == ("never", action("a"))
    again = predict(opened)
    dispatch(under(opened, "asking", cooldown_s=0), again)
    assert stopped_by(opened, again).startswith("refused: ")


def test_a_handler_that_turned_itself_off_rests(opened: Resources, given: Given) -> None:
    with opened.store.write() as session:
        handlers.record_rest(session, SCOPE, "costly", "its last 20 attempts cost 5.0 s and saved 1.0 s")
    stopped = predict(opened)
    dispatch(under(opened, "costly", "two"), stopped)
    assert went(opened, stopped) == [("costly", "stopped"), ("two", "done")]
    assert rows(opened)[0].detail.startswith("resting: its last 20 attempts cost 5.0 s and saved 1.0 s; on again at 20")
    dispatch(under(opened, "costly"), predict(opened, scope="bob@host"))
    assert [name for name, _, _ in given] == ["two", "costly"], "another person's may pay"


def test_cooldown_holds_for_one_action_handler_and_scope(opened: Resources, given: Given) -> None:
    first, again, another, elsewhere = (
        predict(opened),
        predict(opened),
        predict(opened, "b"),
        predict(opened, scope="bob@host"),
    )
    for prediction in (first, again, another, elsewhere):
        dispatch(under(opened, "one", cooldown_s=90), prediction)
    assert stopped_by(opened, again).startswith("cooldown: acted on ")
    assert " s ago, again in " in stopped_by(opened, again)
    assert [context.prediction_id for _, _, context in given] == [first, another, elsewhere]
    dispatch(under(opened, "two", cooldown_s=90), predict(opened))
    long_ago = datetime.now(UTC) - timedelta(seconds=91)
    with opened.store.write() as session:
        session.execute(update(DispatchRow).values(at=long_ago, until=long_ago))
    dispatch(under(opened, "one", cooldown_s=90), predict(opened))
    assert [name for name, _, _ in given] == ["one", "one", "one", "two", "one"]


def test_cooldown_of_a_costly_handler_lasts_until_it_is_due(opened: Resources, given: Given) -> None:
    patient = under(opened, "costly", "one", cooldown_s=0)
    dispatch(patient, predict(opened))
    again = predict(opened)
    dispatch(patient, again)
    assert went(opened, again) == [("costly", "stopped"), ("one", "done")], "what costs nothing may be done again"
    assert rows(opened, again)[0].detail.startswith("cooldown: acted on ")
    with opened.store.write() as session:
        session.execute(update(DispatchRow).values(outcome="hit"))
    dispatch(patient, predict(opened))
    assert [name for name, _, _ in given].count("costly") == 2, "once it came, it may be prepared again"


def test_budget_counts_the_attempts_of_a_handler_in_an_hour(opened: Resources, given: Given) -> None:
    limited = under(opened, "one", "two", budget_per_hour=2)
    first, second, third, elsewhere = (
        predict(opened, "a"),
        predict(opened, "b"),
        predict(opened, "c"),
        predict(opened, "c", scope="bob@host"),
    )
    for prediction in (first, second, third, elsewhere):
        dispatch(limited, prediction)
    assert {row.detail for row in rows(opened, third)} == {"budget: 2 of 2 attempts an hour are used up"}
    assert {context.prediction_id for _, _, context in given} == {first, second, elsewhere}
    with opened.store.write() as session:
        session.execute(update(DispatchRow).values(at=datetime.now(UTC) - timedelta(minutes=61)))
    later = predict(opened, "d")
    dispatch(limited, later)
    assert went(opened, later) == [("one", "done"), ("two", "done")]


def test_a_handler_may_allow_itself_fewer_attempts(opened: Resources, given: Given) -> None:
    first, second = predict(opened, "a"), predict(opened, "b")
    for prediction in (first, second):
        dispatch(under(opened, "rare"), prediction)
    assert stopped_by(opened, second) == "budget: 1 of 1 attempts an hour are used up"


def test_the_budget_gate_counts_what_is_read(opened: Resources, given: Given) -> None:
    limited = under(opened, "costly", "one", budget_mb_per_hour=50)
    first, second = predict(opened, "a"), predict(opened, "b")
    for prediction in (first, second):
        dispatch(limited, prediction)
    assert went(opened, second) == [("costly", "stopped"), ("one", "done")]
    assert rows(opened, second)[0].detail == "budget: 30 MB and 30 MB more are above 50 MB an hour"


def hits(opened: Resources, number: int, gain_s: float | None, ago: timedelta = timedelta(hours=2)) -> None:
    """Store this many past attempts of the handler `costly` that came true."""
    with opened.store.read() as session:
        before = session.scalar(select(func.max(DispatchRow.id))) or 0
    for nth in range(number):
        dispatch(under(opened, "costly"), predict(opened, f"past {before} {nth}"))
    values = {"outcome": "hit", "gain_s": gain_s, "at": datetime.now(UTC) - ago}
    with opened.store.write() as session:
        session.execute(update(DispatchRow).where(DispatchRow.id > before).values(**values))


def test_value_passes_only_the_likely_until_hits_are_known(opened: Resources, given: Given) -> None:
    hits(opened, 2, gain_s=9.0)
    unlikely = predict(opened, probability=0.59)
    dispatch(under(opened, "costly", "noticed", "one"), unlikely)
    assert went(opened, unlikely) == [("costly", "stopped"), ("noticed", "stopped"), ("one", "done")]
    assert [row.detail for row in rows(opened, unlikely)[:2]] == [
        "value: 0.59 is below 0.60, 2 known hits so far",
        "value: 0.59 is below 0.80, 0 known hits so far",
    ]
    likely = predict(opened, "b", probability=0.6)
    dispatch(under(opened, "costly", "noticed"), likely)
    assert went(opened, likely) == [("costly", "done"), ("noticed", "stopped")]
    dispatch(under(opened, "noticed"), predict(opened, "c", probability=0.8))
    assert rows(opened)[-1].status == "done"


def test_value_counts_hits_without_savings_if_cost_is_attention(opened: Resources, given: Given) -> None:
    hits(opened, 3, None)
    with opened.store.write() as session:
        session.execute(update(DispatchRow).values(handler="noticed"))
    hits(opened, 3, None)
    prediction = predict(opened, probability=0.55)
    dispatch(under(opened, "costly", "noticed"), prediction)
    assert went(opened, prediction) == [("costly", "stopped"), ("noticed", "done")]
    assert rows(opened, prediction)[0].detail.endswith(", 0 known hits so far")


@pytest.mark.parametrize(("gain_s", "passes"), [(0.3, False), (0.5, True)])
def test_the_value_gate_weighs_what_a_hit_saves_with_the_cost(
    opened: Resources, given: Given, gain_s: float, passes: bool
) -> None:
    hits(opened, 3, gain_s)
    prediction = predict(opened, probability=0.6)
    dispatch(under(opened, "costly"), prediction)
    if passes:
        assert went(opened, prediction) == [("costly", "done")]
    else:
        assert stopped_by(opened, prediction) == "value: 0.60 x 0.30 s is not above the cost of 0.20 s"


def test_what_was_in_memory_says_nothing_of_what_was_not(opened: Resources, given: Given) -> None:
    hits(opened, 3, 0.0)
    first = predict(opened, probability=0.55)
    dispatch(under(opened, "costly"), first)
    assert stopped_by(opened, first) == "value: 0.55 is below 0.60, 0 known hits so far"
    hits(opened, 3, 0.5)
    dispatch(under(opened, "costly"), predict(opened, "b", probability=0.55))
    assert rows(opened)[-1].status == "done"


def test_what_never_seemed_worth_it_is_tried_again_after_a_week(opened: Resources, given: Given) -> None:
    hits(opened, 3, 0.1, ago=timedelta(days=6.9))
    early = predict(opened, probability=0.9)
    dispatch(under(opened, "costly"), early)
    assert stopped_by(opened, early) == "value: 0.90 x 0.10 s is not above the cost of 0.20 s"
    with opened.store.write() as session:
        session.execute(update(DispatchRow).values(at=datetime.now(UTC) - timedelta(days=7.1)))
    dispatch(under(opened, "costly"), predict(opened, "b", probability=0.9))
    assert rows(opened)[-1].status == "done"


def test_gates_of_the_machine_are_asked(opened: Resources, given: Given) -> None:
    prediction = predict(opened)
    dispatch(under(opened, "costly", "noticed", "one"), prediction, Still(charge=49, full=True))
    assert went(opened, prediction) == [("costly", "stopped"), ("noticed", "stopped"), ("one", "done")]
    assert [row.detail.partition(":")[0] for row in rows(opened)[:2]] == ["battery", "full screen"]


def test_gates_are_asked_in_order_and_the_first_objects(opened: Resources, given: Given) -> None:
    dispatch(under(opened, "one"), predict(opened))
    all_object = under(opened, "one", cooldown_s=60, budget_per_hour=0)
    by = []
    for target, probability in (("a", 0.1), ("a", 0.9), ("b", 0.9)):
        prediction = predict(opened, target, probability)
        dispatch(all_object, prediction)
        by.append(stopped_by(opened, prediction).partition(":")[0])
    assert by == ["confidence", "cooldown", "budget"]
    assert len(given) == 1


def test_what_a_gate_stopped_spends_nothing(opened: Resources, given: Given) -> None:
    limited = under(opened, "one", budget_per_hour=1)
    dispatch(limited, predict(opened, probability=0.1))
    certain = predict(opened)
    dispatch(limited, certain)
    assert went(opened, certain) == [("one", "done")]


def test_an_attempt_that_did_nothing_spends_nothing(opened: Resources, given: Given) -> None:
    limited = under(opened, "idle", budget_per_hour=1)
    attempts = [predict(opened), predict(opened)]
    for prediction in attempts:
        dispatch(limited, prediction)
        assert went(opened, prediction) == [("idle", "stopped")]
    assert len(given) == 2
    with opened.store.read() as session:
        assert session.scalars(select(DispatchRow.detail)).all() == ["nothing to do: it runs already"] * 2


def test_nothing_happens_on_process_noise_alone(opened: Resources, given: Given) -> None:
    prediction = predict(opened)
    with opened.store.write() as session:
        session.execute(update(PredictionRow).values(person=[]))  # as in rows from before there was a view of it
    dispatch(under(opened, "one"), prediction)
    dispatch(under(opened, "one"), prediction + 1)
    assert rows(opened) == [] == given


HOSTILE = ["a\nb\r\nc", 'quote " and \\ back', "\x1b[31m\x00\x85\u2028", "half \ud800 character", "会议 🚀", "x" * 4096]


@pytest.mark.parametrize("title", HOSTILE, ids=range(len(HOSTILE)))
def test_record_keeps_a_hostile_title_on_one_json_line(opened: Resources, home: Home, title: str) -> None:
    now = datetime.now(UTC)
    prediction = predict(opened, title, operation="window_focus", place="Code", made_at=now)
    with capture_logs():
        dispatch(under(opened, "record", "log"), prediction)
    assert went(opened) == [("record", "done"), ("log", "done")]
    [line] = lines(home)
    assert line == {
        "prediction": prediction,
        "scope": SCOPE,
        "made_at": now.isoformat(),
        "expected_at": (now + timedelta(seconds=HORIZON_S / 2)).isoformat(),
        "probability": 0.9,
        "action": {"operation": "window_focus", "target": title.replace("\ud800", "?"), "place": "Code"},
    }


def test_record_appends_to_a_file_that_only_its_owner_can_read(opened: Resources, home: Home) -> None:
    predictions = [predict(opened, target) for target in "abc"]
    for prediction in predictions:
        dispatch(under(opened, "record"), prediction)
    assert [line["prediction"] for line in lines(home)] == predictions
    assert stat.S_IMODE((home.root / RECORDED).stat().st_mode) == 0o600


def test_record_sets_a_full_file_aside(opened: Resources, home: Home) -> None:
    handler = RecordHandler(opened.settings, home, max_bytes=10)
    for number, target in enumerate("abc"):
        handler.handle(candidate(Operation.PROCESS_START, target), context(prediction_id=number))
    assert [line["prediction"] for line in lines(home)] == [2]
    aside = (home.root / f"{RECORDED}.1").read_text("utf-8")
    assert json.loads(aside)["prediction"] == 1
