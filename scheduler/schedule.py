"""What is due, by when each job last ran."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from memo.core.settings import ScheduleSettings

RETRAIN, EVALUATE, PRUNE = "retrain", "evaluate", "prune"
JOBS = (RETRAIN, EVALUATE, PRUNE)
SKEW = timedelta(minutes=5)
"""A job that ran later than this from now ran under a wrong clock."""


def unknown(jobs: Mapping[str, datetime | None]) -> list[str]:
    """Jobs that were never seen: their time is only noted, so that a fresh stack does not train at once."""
    return [name for name in JOBS if jobs.get(name) is None]


def due(now: datetime, jobs: Mapping[str, datetime | None], settings: ScheduleSettings) -> list[str]:
    """Jobs whose last run is long enough ago. One that was missed many times, while the machine slept, is due once."""
    every = {RETRAIN: settings.retrain_every, EVALUATE: settings.evaluate_every, PRUNE: settings.prune_every}
    return [
        name
        for name in JOBS
        if (last := jobs.get(name)) is not None and (now - last >= every[name] or last - now > SKEW)
    ]
