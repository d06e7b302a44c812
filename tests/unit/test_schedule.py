from datetime import UTC, datetime, timedelta

import pytest

from memo.core.settings import ScheduleSettings
from scheduler.schedule import EVALUATE, JOBS, PRUNE, RETRAIN, due, unknown

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SETTINGS = ScheduleSettings(retrain_every=DAY, evaluate_every=2 * DAY, prune_every=DAY)


def test_a_job_never_seen_is_noted_and_not_due() -> None:
    assert unknown({}) == list(JOBS)
    assert due(NOW, {}, SETTINGS) == []
    assert unknown(dict.fromkeys(JOBS, NOW)) == []


@pytest.mark.parametrize(("age", "names"), [(DAY - timedelta(seconds=1), []), (DAY, [RETRAIN, PRUNE])])
def test_each_is_due_by_its_own_interval(age: timedelta, names: list[str]) -> None:
    assert due(NOW, dict.fromkeys(JOBS, NOW - age), SETTINGS) == names


def test_a_job_missed_many_times_is_due_once() -> None:
    jobs: dict[str, datetime | None] = dict.fromkeys(JOBS, NOW - 30 * DAY)
    assert due(NOW, jobs, SETTINGS) == list(JOBS)
    assert due(NOW + timedelta(seconds=5), dict.fromkeys(JOBS, NOW), SETTINGS) == []


def test_a_run_under_a_clock_that_was_wrong_does_not_block_for_ever() -> None:
    assert due(NOW, {EVALUATE: datetime(2100, 1, 1, tzinfo=UTC)}, SETTINGS) == [EVALUATE]
    assert due(NOW, {EVALUATE: NOW + timedelta(minutes=1)}, SETTINGS) == []
