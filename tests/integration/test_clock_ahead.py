"""What was written while the clock was ahead holds nothing up once the clock is right again; on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from dispatching import SCOPE, opened_store, predict

from cli.stack.doctor import CHECKS
from db.dispatch import dispatches, handlers, ledger
from db.dispatch.dispatches import CLAIMED, DONE, Claim
from db.intake import scopes
from db.models import DispatchRow, PredictionRow, RunRow, ScopeRow
from db.upkeep import jobs, runs
from memo.core.errors import MemoError
from memo.core.events import Action, Operation
from memo.core.paths import Home
from worker.resources import Resources

AHEAD = datetime.now(UTC) + timedelta(days=1095)
ACTION = Action(Operation.PROCESS_START, "editor")


@pytest.fixture
def opened(database_url: str, home: Home) -> Iterator[Resources]:
    with opened_store(database_url, home) as context:
        yield context


def test_attempts_use_up_no_budget_and_settle(opened: Resources) -> None:
    prediction = predict(opened, "editor")
    with opened.store.write() as session:
        dispatches.add_claims(session, [Claim(prediction, SCOPE, "log", ACTION, 0.9, CLAIMED, "", AHEAD)])
        assert dispatches.count_last_hour(session, SCOPE, "log")[0] == 1
        assert dispatches.find_last_attempt(session, SCOPE, "log", ACTION)
    with opened.store.write() as session:
        session.query(DispatchRow).update({"at": AHEAD, "status": DONE})
        session.query(PredictionRow).update({"made_at": AHEAD})
    with opened.store.read() as session:
        assert dispatches.count_last_hour(session, SCOPE, "log")[0] == 0
        assert dispatches.find_last_attempt(session, SCOPE, "log", ACTION) is None
        assert [settled.outcome for settled in ledger.find_settled(session, {})] == ["waste"]


def test_clock_set_back_an_hour_gives_no_second_budget(opened: Resources) -> None:
    prediction = predict(opened, "editor")
    with opened.store.write() as session:
        dispatches.add_claims(session, [Claim(prediction, SCOPE, "log", ACTION, 0.9, DONE, "", AHEAD)])
        session.query(DispatchRow).update({"at": datetime.now(UTC) + timedelta(minutes=59)})
        assert dispatches.count_last_hour(session, SCOPE, "log")[0] == 1


def test_a_handler_does_not_rest_for_years(opened: Resources) -> None:
    with opened.store.write() as session:
        row = handlers.record_rest(session, SCOPE, "log", "its attempts cost more than they saved")
        assert handlers.find_resting(session, SCOPE, "log") and handlers.find_all_resting(session, SCOPE)
        row.since, row.until = AHEAD, AHEAD + timedelta(hours=1)
        session.flush()
        assert handlers.find_resting(session, SCOPE, "log") is None
        assert handlers.find_all_resting(session, SCOPE) == []


def test_a_failed_run_delays_no_other_for_years(opened: Resources) -> None:
    with opened.store.write() as session:
        row = runs.add_run(session, "train", SCOPE)
        assert isinstance(row, RunRow)
        runs.record_result(session, row.id, "failed", {})
        assert runs.is_delayed(session, "train", SCOPE)
        row.ended_at = AHEAD
        session.flush()
        assert not runs.is_delayed(session, "train", SCOPE)


def test_a_request_of_then_does_not_keep_others_back(opened: Resources) -> None:
    with opened.store.write() as session:
        assert scopes.record_request(session, SCOPE, 60)
        assert not scopes.record_request(session, SCOPE, 60)
        session.get_one(ScopeRow, SCOPE).pending_until = AHEAD
        assert scopes.record_request(session, SCOPE, 60)


def test_doctor_says_that_the_clock_was_set(opened: Resources, home: Home) -> None:
    with opened.store.write() as session:
        jobs.record_run(session, jobs.PRUNE, f"{jobs.CLOCK_WAS_SET} from 2026-03-02 09:00 to 2029-03-01 09:00 UTC")
    with pytest.raises(MemoError, match="went from 2026-03-02 09:00 to .* check the clock with `date`"):
        CHECKS["store"](home, opened.settings)
