from datetime import UTC, datetime, timedelta

import pytest

from db.upkeep.jobs import BACKUP, EVALUATE, PRUNE, RETRAIN
from memo.core.settings import ScheduleSettings
from scheduler.tick import JOBS, counted_from, due, never_run

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SETTINGS = ScheduleSettings(evaluate_every=2 * DAY, prune_every=DAY)


def test_never_run_lists_new_jobs_which_are_not_due() -> None:
    assert never_run({}) == [RETRAIN, EVALUATE, PRUNE, BACKUP]
    assert due(NOW, {}, SETTINGS) == []
    assert never_run(dict.fromkeys(JOBS, NOW)) == []


def test_due_first_backup_is_ten_minutes_after_the_start() -> None:
    jobs = {name: counted_from(name, NOW) for name in JOBS}
    assert due(NOW + timedelta(minutes=9), jobs, SETTINGS) == []
    assert due(NOW + timedelta(minutes=10), jobs, SETTINGS) == [BACKUP]


@pytest.mark.parametrize(("age", "names"), [(DAY - timedelta(seconds=1), []), (DAY, [PRUNE, BACKUP])])
def test_due_after_the_interval_of_each_job(age: timedelta, names: list[str]) -> None:
    assert due(NOW, dict.fromkeys(JOBS, NOW - age), SETTINGS) == names


def test_due_after_many_missed_intervals_is_once() -> None:
    jobs: dict[str, datetime] = dict.fromkeys(JOBS, NOW - 30 * DAY)
    assert due(NOW, jobs, SETTINGS) == [EVALUATE, PRUNE, BACKUP]
    assert due(NOW + timedelta(seconds=5), dict.fromkeys(JOBS, NOW), SETTINGS) == []


def test_due_after_a_run_in_the_far_future_is_immediate() -> None:
    assert due(NOW, {BACKUP: NOW, EVALUATE: datetime(2100, 1, 1, tzinfo=UTC)}, SETTINGS) == [EVALUATE]
    assert due(NOW, {BACKUP: NOW, EVALUATE: NOW + timedelta(minutes=1)}, SETTINGS) == []
