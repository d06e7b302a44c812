"""When a scope's version is trained again, and what such a training waits for."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from db.intake import events, scopes
from db.prediction import versions
from db.upkeep import jobs, runs
from memo.clock import pauses
from memo.core.paths import Home
from memo.core.settings import ScheduleSettings
from memo.desktop.machine import Machine

MOST_BACK_OFF = 8  # times the usual actions, after rejected versions
MAX_CLOCK_SKEW = timedelta(minutes=5)  # a last run further in the future was recorded by a wrong clock
MEMORY = 1.5e9  # bytes; a training of the built-in model takes at most 1.2e9
BUSY = 0.5  # load average per core above which a machine is at work


class Outlook(NamedTuple):
    """Why a scope is due to be trained, or what has to happen until it is."""

    is_due: bool
    reason: str


def name_drift(scope: str) -> str:
    """Return the name of the job that ran when a scope's predictions were last found to have become too bad."""
    return f"drift {scope}"


def name_retired(scope: str) -> str:
    """Return the name of the job that ran when versions of a scope were last deleted for what they were trained on."""
    return f"retired {scope}"


def find_outlook(session: Session, scope: str, schedule: ScheduleSettings, now: datetime) -> Outlook:
    """Return whether a scope is due to be trained, by what its person has done, by drift or deletion, or by time.

    The needed actions double with each version in a row that was rejected.
    """
    row = scopes.find_scope(session, scope)
    if row is not None and row.history_alone == "":
        return Outlook(False, "none, as no language model is to take part (`memo model activate VERSION` changes that)")
    last, rejected = runs.find_last_done(session, runs.TRAIN, scope), versions.count_rejected(session, scope)
    needed = schedule.retrain_actions * min(2**rejected, MOST_BACK_OFF)
    acts = events.count_human_actions(session, scope, last, needed)
    if acts >= needed:
        return Outlook(True, f"{acts} new actions")
    for job, words in ((name_drift(scope), "predictions became worse"), (name_retired(scope), "versions were deleted")):
        since = jobs.find_last_run(session, job)
        if since and (last is None or last < since):
            return Outlook(True, f"{words} on {since.astimezone():%Y-%m-%d}")
    began = last or jobs.find_last_run(session, jobs.RETRAIN) or now
    if now - began >= schedule.retrain_every or began - now > MAX_CLOCK_SKEW:
        return Outlook(True, f"none since {began:%Y-%m-%d}")
    until = (began + schedule.retrain_every).astimezone()
    rarer = f" (versions rejected in a row: {rejected})" if rejected else ""
    return Outlook(False, f"after {needed - acts} more actions, or on {until:%Y-%m-%d}{rarer}")


def find_due_scopes(session: Session, schedule: ScheduleSettings, now: datetime) -> list[str]:
    """Return the scopes to queue a training for; one missed many times, while the machine slept, is due once."""
    names = [name for name in scopes.find_scope_names(session) if runs.is_free(session, runs.TRAIN, name)]
    return [name for name in names if find_outlook(session, name, schedule, now).is_due]


def find_obstacle(
    session: Session, home: Home, schedule: ScheduleSettings, now: datetime, machine: Machine | None = None
) -> str:
    """Return what a training waits for before it starts; "" if nothing is in its way."""
    machine = machine or Machine()
    reason = find_reason_to_stop(session, home, schedule, now, machine)
    if reason or _begins_at_once(session, schedule):
        return reason
    if machine.free_bytes() < MEMORY:
        return f"{MEMORY / 1e9:.1f} GB of memory are free"
    return "the machine is less busy" if machine.load() > BUSY else ""


def find_reason_to_stop(
    session: Session, home: Home, schedule: ScheduleSettings, now: datetime, machine: Machine
) -> str:
    """Return what a training that runs has to give way to, in words for what it then waits for; "" if nothing."""
    if pauses.current(home):
        return "MEMO is resumed"
    if _begins_at_once(session, schedule):
        return ""
    if _is_somebody_active(session, now - timedelta(seconds=schedule.retrain_idle_s), now):
        return f"nobody has done anything for {schedule.retrain_idle_s / 60:.0f} minutes"
    return "the machine has mains power" if machine.battery() is not None else ""


def _begins_at_once(session: Session, schedule: ScheduleSettings) -> bool:
    """Return whether a training waits for nothing but the end of a pause."""
    return not schedule.retrain_idle_s or runs.has_urgent(session)


def _is_somebody_active(session: Session, since: datetime, now: datetime) -> bool:
    """Return whether a person's last action lies in a span; what a wrong clock put after it does not."""
    last = [act for name in scopes.find_scope_names(session) for act in events.find_last_done(session, name, 1)]
    return any(since < act.at <= now + MAX_CLOCK_SKEW for act in last)
