"""The outcome of each attempt, on both databases; a handler that does not pay turns itself off."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dispatching import (
    SCOPE,
    dispatch,
    dispatching,
    happen,
    install,
    opened_store,
    predict,
    rows,
    stopped_by,
    under,
)
from sqlalchemy import update
from structlog.testing import capture_logs

from db.dispatch import handlers, ledger
from db.intake import events, launches
from db.models import DispatchRow, HandlerRow, LaunchRow
from memo.core.events import Event, Operation
from memo.core.paths import Home
from worker.dispatch.payoff import JUDGED, judge
from worker.resources import Resources

CODE = """
import json
from memo.protocols import Cost, Handler

class Paying(Handler):
    name = "paying"
    quick = True
    gain = {"gain_s": 2.0}

    def __init__(self, settings, home):
        self.file = home.root / "expired"

    def cost(self, candidate, context):
        return Cost(500.0, 1_000_000)

    def handle(self, candidate, context):
        return self.gain | {"app": candidate.action.target}

    def expire(self, result):
        with self.file.open("a") as file:
            file.write(result["app"] + "\\n")

class Unproven(Paying):
    name = "unproven"
    gain = {}

class Distant(Paying):
    name = "distant"
    quick = False
"""


@pytest.fixture
def opened(database_url: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Resources]:
    names = {name: name.capitalize() for name in ("paying", "unproven", "distant")}
    install(tmp_path, monkeypatch, "ledgered", CODE, **names)
    with opened_store(database_url, home) as context:
        yield context


def settle(opened: Resources, judged: int = JUDGED) -> None:
    with dispatching(opened) as dispatcher:
        dispatcher.settle(judged)


def over(opened: Resources) -> None:
    """Let the life of all attempts be over."""
    with opened.store.write() as session:
        session.execute(update(DispatchRow).values(until=datetime.now(UTC)))


def outcomes(opened: Resources) -> list[tuple[str, str | None, float | None]]:
    return [(row.handler, row.outcome, row.gain_s) for row in rows(opened)]


def expired(home: Home) -> list[str]:
    file = home.root / "expired"
    return file.read_text().split() if file.exists() else []


def test_a_go_is_open_until_it_came_true_or_its_life_is_over(opened: Resources, home: Home) -> None:
    on = under(opened, "paying", "unproven")
    for app in ("a", "b"):
        dispatch(on, predict(opened, app))
    settle(on)
    assert {row.outcome for row in rows(opened)} == {None}
    happen(opened, "b")
    settle(on)
    assert outcomes(opened)[2:] == [("paying", "hit", 2.0), ("unproven", "hit", None)]
    assert {row.outcome for row in rows(opened)[:2]} == {None}
    over(opened)
    settle(on)
    assert outcomes(opened)[:2] == [("paying", "waste", None), ("unproven", "waste", None)]
    assert expired(home) == ["a", "a"], "what was prepared in vain is taken back"
    happen(opened, "a")
    settle(on)
    assert outcomes(opened)[:2] == [("paying", "waste", None), ("unproven", "waste", None)], "once and for all"


def test_events_are_read_again_only_if_something_is_new(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    first, late = predict(opened, "a"), predict(opened, "b")
    happen(opened, "b")
    with dispatching(under(opened, "paying")) as dispatcher:
        dispatcher.dispatch(first)
        dispatcher.settle()
        with monkeypatch.context() as patch:
            patch.setattr(ledger, "_came", pytest.fail)
            dispatcher.settle()
        dispatcher.dispatch(late)
        dispatcher.settle()
        assert outcomes(opened) == [("paying", None, None), ("paying", "hit", 2.0)], "it came before it was attempted"
        happen(opened, "a")
        dispatcher.settle()
    assert {row.outcome for row in rows(opened)} == {"hit"}


def test_what_came_before_the_prediction_or_elsewhere_is_no_hit(opened: Resources) -> None:
    on = under(opened, "paying")
    happen(opened, "a", "b", operation=Operation.WINDOW_FOCUS)
    dispatch(on, predict(opened, "a", operation="window_focus"))
    happen(opened, "a", scope="bob@host", operation=Operation.WINDOW_FOCUS)
    happen(opened, "a", operation=Operation.PROCESS_END)
    over(opened)
    settle(on)
    assert outcomes(opened) == [("paying", "waste", None)]


def test_an_app_comes_with_any_of_its_windows(opened: Resources) -> None:
    on = under(opened, "paying")
    dispatch(on, predict(opened, "", operation="window_focus", place="Code"))
    with opened.store.write() as session:
        came = Event(datetime.now(UTC), Operation.WINDOW_FOCUS, "main.py", "Code")
        events.add_events(session, SCOPE, [came], ["key"])
    settle(on)
    assert outcomes(opened) == [("paying", "hit", 2.0)]


def test_what_came_after_its_life_is_no_hit(opened: Resources) -> None:
    on = under(opened, "paying")
    prediction = predict(opened, "a")
    dispatch(on, prediction)
    late = Event(datetime.now(UTC) + timedelta(seconds=90), Operation.PROCESS_START, "a")
    with opened.store.write() as session:
        events.add_events(session, SCOPE, [late], ["late"])
    settle(on)
    assert outcomes(opened) == [("paying", None, None)]


def test_a_dry_go_has_an_outcome_and_no_gain(opened: Resources, home: Home) -> None:
    dry = under(opened, "paying", on=[])
    for app in ("a", "b"):
        dispatch(dry, predict(opened, app))
    happen(opened, "a")
    settle(dry)
    over(opened)
    settle(dry)
    assert outcomes(opened) == [("paying", "hit", None), ("paying", "waste", None)]
    assert expired(home) == [], "nothing was done"


def test_a_handler_in_a_process_takes_back_too(opened: Resources, home: Home) -> None:
    on = under(opened, "distant")
    dispatch(on, predict(opened, "a"))
    over(opened)
    settle(on)
    assert expired(home) == ["a"]


@pytest.mark.parametrize(("ms", "cold", "gain"), [(400.0, True, 0.6), (400.0, False, 0.0), (None, True, None)])
def test_savings_of_a_preloaded_launch_are_measured_when_known(
    opened: Resources, ms: float | None, cold: bool, gain: float | None
) -> None:
    on = under(opened, "paying")
    dispatch(on, predict(opened, "a"))
    result = {"cold": cold}
    with opened.store.write() as session:
        session.execute(update(DispatchRow).values(handler="preload_app", result=result))
    happen(opened, "a")
    settle(on)
    assert outcomes(opened) == [("preload_app", "hit", None)], "not measured yet"
    past = datetime.now(UTC) - timedelta(days=1)
    with opened.store.write() as session:
        for took, read in ((1_000.0, 100), (300.0, 0)):
            for _ in range(launches.LEAST):
                launches.add_launch(session, launch(past, took, read))
        launches.add_launch(session, launch(datetime.now(UTC), ms, 0))
    settle(on)
    [(_, _, measured)] = outcomes(opened)
    assert measured == (None if gain is None else pytest.approx(gain))


def launch(at: datetime, ms: float | None, read_bytes: int) -> LaunchRow:
    return LaunchRow(
        scope=SCOPE, app="a", executable="/a", at=at, ms=ms, major_faults=0, read_bytes=read_bytes, known_bytes=100
    )


def test_totals_count_what_is_known(opened: Resources) -> None:
    on = under(opened, "paying", "unproven", cooldown_s=0)
    for app in ("a", "b", "c"):
        dispatch(on, predict(opened, app))
    dispatch(on, predict(opened, "c", 0.1))
    happen(opened, "a")
    settle(on)
    over(opened)
    settle(on)
    with opened.store.read() as session:
        found = ledger.find_totals(session, SCOPE)
        assert ledger.find_totals(session, "bob@host") == {}
    common = {"goes": 3, "dry": 0, "failed": 0, "overrun": 0, "stopped": 1, "hits": 1, "waste": 2}
    common |= {"vain_bytes": 2_000_000}
    assert found["paying"] == common | {"read_bytes": 3_000_000, "known": 1, "saved_s": 2.0, "cost_s": 1.5}
    assert found["unproven"] == common | {"read_bytes": 3_000_000, "known": 0, "saved_s": 0.0, "cost_s": 0.0}, (
        "a hit of which nobody knows what it saved is not counted, and waste is not counted alone"
    )


def test_as_much_of_the_waste_counts_as_of_the_hits_is_known(opened: Resources) -> None:
    on = under(opened, "unproven")
    for app in "abcdefgh":
        dispatch(on, predict(opened, app))
    happen(opened, *"abcd")
    settle(on)
    over(opened)
    settle(on)
    with opened.store.write() as session:
        for row in rows(opened)[:3]:
            session.execute(update(DispatchRow).where(DispatchRow.id == row.id).values(gain_s=0.5))
    with opened.store.read() as session:
        last = ledger.find_last_balance(session, SCOPE, "unproven", None, 8)
        assert (last.goes, last.hits, last.known) == (8, 4, 3)
        assert (last.saved_s, last.cost_s) == (1.5, 3 * 0.5 + 3 / 4 * 4 * 0.5)
        assert ledger.find_totals(session, SCOPE)["unproven"]["cost_s"] == last.cost_s
        assert ledger.find_last_balance(session, SCOPE, "unproven", None, 4).cost_s == 4 * 0.5, "all of them waste"


def test_a_hit_that_had_nothing_to_do_saved_nothing(opened: Resources) -> None:
    on = under(opened, "unproven")
    for app in "abcdefgh":
        dispatch(on, predict(opened, app))
    came = [("hit", 0.0)] * 3 + [("hit", None)] * 3 + [("waste", None)] * 2  # in memory, nobody knows, in vain
    with opened.store.write() as session:
        for row, (outcome, gain) in zip(rows(opened), came, strict=True):
            session.execute(update(DispatchRow).where(DispatchRow.id == row.id).values(outcome=outcome, gain_s=gain))
        judge(session, {(SCOPE, "unproven")}, judged=8)
        assert not handlers.find_all_resting(session, SCOPE), "nobody knows yet whether it pays"
        session.execute(
            update(DispatchRow).where(DispatchRow.gain_s.is_(None), DispatchRow.outcome == "hit").values(gain_s=0.0)
        )
        judge(session, {(SCOPE, "unproven")}, judged=8)
        [resting] = handlers.find_all_resting(session, SCOPE)
    assert resting["reason"] == "its last 8 attempts cost 4.0 s and saved 0.0 s", "all was there anyway, or never came"


def test_a_handler_that_does_not_pay_is_turned_off_once(opened: Resources) -> None:
    on, alone = under(opened, "paying", "unproven"), under(opened, "unproven")

    def four_goes(on: Resources, names: str, came: str) -> None:
        for app in names:
            dispatch(on, predict(opened, app))
        happen(opened, *came)
        settle(on, judged=4)
        over(opened)
        settle(on, judged=4)

    with capture_logs() as logs:
        four_goes(on, "abcd", "a")  # of the one, 2.0 s saved and as much spent; of the other, nobody knows
        four_goes(alone, "efgh", "e")
        assert logs == []
        four_goes(alone, "ijkl", "")
        settle(on, judged=4)
    [said] = [entry for entry in logs if entry["log_level"] == "warning"]
    assert (said["handler"], said["reason"]) == ("unproven", "its last 4 attempts cost 2.0 s and saved 0.0 s")
    stopped = predict(opened, "z")
    dispatch(under(opened, "unproven"), stopped)
    says = "resting: its last 4 attempts cost 2.0 s and saved 0.0 s; on again at 20"
    assert stopped_by(opened, stopped).startswith(says)
    with opened.store.read() as session:
        assert [one["handler"] for one in handlers.find_all_resting(session, SCOPE)] == ["unproven"]


def test_each_rest_is_longer_until_it_paid(opened: Resources) -> None:
    def rest() -> timedelta:
        with opened.store.write() as session:
            row = handlers.record_rest(session, SCOPE, "paying", "it cost more")
            return row.until - row.since

    assert [rest() / timedelta(hours=1) for _ in range(10)] == [1, 2, 4, 8, 16, 32, 64, 128, 168, 168]
    with opened.store.write() as session:
        handlers.reset_backoff(session, SCOPE, "paying")
    assert rest() == timedelta(hours=1)


def test_after_its_rest_only_new_attempts_are_judged(opened: Resources) -> None:
    on = under(opened, "unproven")
    for app in "ab":
        dispatch(on, predict(opened, app))
    over(opened)
    settle(on, judged=2)
    with opened.store.write() as session:
        session.execute(update(HandlerRow).values(until=datetime.now(UTC)))
    dispatch(on, predict(opened, "c"))
    over(opened)
    settle(on, judged=2)
    with opened.store.read() as session:
        assert not handlers.find_all_resting(session, SCOPE)
    dispatch(on, predict(opened, "d"))
    over(opened)
    settle(on, judged=2)
    with opened.store.read() as session:
        row = handlers.find_resting(session, SCOPE, "unproven")
    assert row and (row.times, row.until - row.since) == (2, timedelta(hours=2))
