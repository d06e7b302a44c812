"""The rules of the gates, in the order in which they are asked: each returns the reason it blocks an attempt, or None.

They are about the candidate, the handler's earlier attempts, the machine, which costly attempts must not burden, and
the person, whom noticeable ones must not disturb.
"""

from datetime import UTC, datetime, timedelta, tzinfo

from sqlalchemy.orm import Session

from db.dispatch import dispatches, handlers
from db.prediction import feedback
from memo.clock import pauses, quiet_hours
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.machine import Machine
from memo.protocols import Cost
from worker.effects.read_limits import MEGABYTE
from worker.gates.attempt import Attempt

KNOWN = 3  # hits with known savings before these are trusted
# Minimum probability until then. Chromium also asks for three hits; it has two thresholds, 0.5 for cheap actions and
# 0.8 (chrome/browser/predictors/autocomplete_action_predictor.cc); 0.6 is by bench/upcoming.py.
FLOOR = 0.6
NOTICED_FLOOR = 0.8  # the same for attempts that a person notices
MEMORY_STALLED = 5.0  # most percent of the last 10 s in which some program waited for memory
CPU_STALLED = 40.0  # most percent of the last 10 s in which some program waited for a processor
LOAD = 1.5  # highest load average of the last minute, per core


def confidence(minimum: float, session: Session, attempt: Attempt) -> str | None:
    """Block a candidate that is not likely enough."""
    probability = attempt.candidate.probability
    return f"{probability:.2f} is below {minimum:.2f}" if probability < minimum else None


def too_late(session: Session, attempt: Attempt) -> str | None:
    """Block a candidate whose time is over."""
    ago_s = (datetime.now(UTC) - attempt.context.until).total_seconds()
    return f"its time ended {ago_s:.0f} s ago" if ago_s >= 0 else None


def paused(zone: tzinfo, home: Home, session: Session, attempt: Attempt) -> str | None:
    """Block everything while MEMO is paused."""
    pause = pauses.current(home)
    if pause is None:
        return None
    return f"until {pause.until.astimezone(zone):%Y-%m-%d %H:%M}" if pause.ends else "until `memo resume`"


def refused(session: Session, attempt: Attempt) -> str | None:
    """Block an action that was answered "never", until a "yes"."""
    at = feedback.find_refusal(session, attempt.context.scope, attempt.candidate.action)
    return f'answered "never" on {at:%Y-%m-%d}' if at else None


def resting(zone: tzinfo, session: Session, attempt: Attempt) -> str | None:
    """Block a handler that rests because it cost more than it saved; one that costs nothing never does."""
    row = None if attempt.is_free else handlers.find_resting(session, attempt.context.scope, attempt.handler)
    return f"{row.reason}; on again at {row.until.astimezone(zone):%Y-%m-%d %H:%M}" if row else None


def cooldown(seconds: float, session: Session, attempt: Attempt) -> str | None:
    """Block an action that the handler acted on just now or, if that costs, that is still due since then."""
    last = dispatches.find_last_attempt(session, attempt.context.scope, attempt.handler, attempt.candidate.action)
    if last is None:
        return None
    now, again_at = datetime.now(UTC), last.at + timedelta(seconds=seconds)
    if not attempt.is_free and last.until and last.outcome is None:
        again_at = max(again_at, last.until)
    wait_s = (again_at - now).total_seconds()
    return f"acted on {(now - last.at).total_seconds():.0f} s ago, again in {wait_s:.0f} s" if wait_s > 0 else None


def budget(per_hour: int, mb_per_hour: int, session: Session, attempt: Attempt) -> str | None:
    """Block attempts, and bytes read, beyond the limits of an hour."""
    made, read = dispatches.count_last_hour(session, attempt.context.scope, attempt.handler)
    most = per_hour if attempt.per_hour is None else min(per_hour, attempt.per_hour)
    if made >= most:
        return f"{made} of {most} attempts an hour are used up"
    read_mb, more_mb = read / MEGABYTE, attempt.cost.read_bytes / MEGABYTE
    if more_mb and read_mb + more_mb > mb_per_hour:
        return f"{read_mb:.0f} MB and {more_mb:.0f} MB more are above {mb_per_hour} MB an hour"
    return None


def value(session: Session, attempt: Attempt) -> str | None:
    """Block what costs at least what it saves on average or, while savings are unknown, is not likely enough."""
    if attempt.is_free:
        return None
    probability, cost_s = attempt.candidate.probability, attempt.cost.ms / 1e3
    hits = dispatches.find_hits(session, attempt.context.scope, attempt.handler)
    known = hits.number if attempt.cost == Cost() else hits.known  # the value of attention is never measured
    if known < KNOWN:
        floor = NOTICED_FLOOR if attempt.noticed else FLOOR
        return f"{probability:.2f} is below {floor:.2f}, {known} known hits so far" if probability < floor else None
    if hits.saves_s is None or probability * hits.saves_s > cost_s:
        return None
    return f"{probability:.2f} x {hits.saves_s:.2f} s is not above the cost of {cost_s:.2f} s"


def battery(machine: Machine, percent: int, session: Session, attempt: Attempt) -> str | None:
    """Block on battery, unless enough charge is left."""
    charge = None if attempt.cost == Cost() else machine.battery()
    return f"{charge:.0f} % is below {percent} %" if charge is not None and charge < percent else None


def memory(machine: Machine, session: Session, attempt: Attempt) -> str | None:
    """Block while programs wait for memory."""
    stalled = None if attempt.cost == Cost() else machine.stalled("memory")
    if stalled is None or stalled <= MEMORY_STALLED:
        return None
    return f"programs wait for memory {stalled:.0f} % of the time, the limit is {MEMORY_STALLED:.0f} %"


def load(machine: Machine, session: Session, attempt: Attempt) -> str | None:
    """Block while the processors have no time to spare."""
    if attempt.cost == Cost():
        return None
    stalled, load = machine.stalled("cpu"), machine.load()
    if stalled is not None and stalled > CPU_STALLED:
        return f"programs wait for a processor {stalled:.0f} % of the time, the limit is {CPU_STALLED:.0f} %"
    return f"a load of {load:.1f} per core is above {LOAD:.1f}" if load > LOAD else None


def quiet(settings: Settings, session: Session, attempt: Attempt) -> str | None:
    """Block in quiet hours what is noticeable."""
    until = quiet_hours.find_end(settings) if attempt.noticed else None
    return f"until {until:%H:%M}" if until else None


def full_screen(machine: Machine, session: Session, attempt: Attempt) -> str | None:
    """Block what would disturb a film, a game or a presentation."""
    return "a window fills the screen" if attempt.noticed and machine.full_screen() else None
