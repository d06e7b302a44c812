"""Gates: small rules, asked in order; the first that objects stops an attempt."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy.orm import Session

from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.machine import Machine
from worker.gates import candidate, capacity, person, track_record
from worker.gates.attempt import Attempt


class Gate(NamedTuple):
    """One rule: returns the reason it blocks an attempt, with the value and its limit, or None."""

    name: str
    objection: Callable[[Session, Attempt], str | None]


def gates(settings: Settings, home: Home, machine: Machine) -> Sequence[Gate]:
    """Return all gates in the order in which they are asked: first those that stop most and cost least."""
    dispatch, zone = settings.dispatch, settings.zone
    budget = partial(track_record.budget, dispatch.budget_per_hour, dispatch.budget_mb_per_hour)
    return (
        Gate("confidence", partial(candidate.confidence, dispatch.minimum_probability)),
        Gate("late", candidate.too_late),
        Gate("pause", partial(person.paused, zone, home)),
        Gate("refused", candidate.refused),
        Gate("resting", partial(track_record.resting, zone)),
        Gate("cooldown", partial(track_record.cooldown, dispatch.cooldown_s)),
        Gate("budget", budget),
        Gate("value", track_record.value),
        Gate("battery", partial(capacity.battery, machine, dispatch.battery_percent)),
        Gate("memory", partial(capacity.memory, machine)),
        Gate("load", partial(capacity.load, machine)),
        Gate("quiet hours", partial(person.quiet, settings)),
        Gate("full screen", partial(person.full_screen, machine)),
    )


def objection(gates: Sequence[Gate], session: Session, attempt: Attempt) -> str | None:
    """Return the name and the reason of the first gate that blocks the attempt, or None."""
    for gate in gates:
        if reason := gate.objection(session, attempt):
            return f"{gate.name}: {reason}"
    return None
