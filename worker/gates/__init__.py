"""Gates: small rules, asked in order; the first that objects stops an attempt."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy.orm import Session

from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.machine import Machine
from worker.gates import gate_rules
from worker.gates.attempt import Attempt


class Gate(NamedTuple):
    """One rule: returns the reason it blocks an attempt, with the value and its limit, or None."""

    name: str
    objection: Callable[[Session, Attempt], str | None]


def gates(settings: Settings, home: Home, machine: Machine) -> Sequence[Gate]:
    """Return all gates in the order in which they are asked: first those that stop most and cost least."""
    dispatch, zone = settings.dispatch, settings.zone
    return (
        Gate("confidence", partial(gate_rules.confidence, dispatch.minimum_probability)),
        Gate("late", gate_rules.too_late),
        Gate("pause", partial(gate_rules.paused, zone, home)),
        Gate("refused", gate_rules.refused),
        Gate("resting", partial(gate_rules.resting, zone)),
        Gate("cooldown", partial(gate_rules.cooldown, dispatch.cooldown_s)),
        Gate("budget", partial(gate_rules.budget, dispatch.budget_per_hour, dispatch.budget_mb_per_hour)),
        Gate("value", gate_rules.value),
        Gate("battery", partial(gate_rules.battery, machine, dispatch.battery_percent)),
        Gate("memory", partial(gate_rules.memory, machine)),
        Gate("load", partial(gate_rules.load, machine)),
        Gate("quiet hours", partial(gate_rules.quiet, settings)),
        Gate("full screen", partial(gate_rules.full_screen, machine)),
    )


def objection(gates: Sequence[Gate], session: Session, attempt: Attempt) -> str | None:
    """Return the name and the reason of the first gate that blocks the attempt, or None."""
    for gate in gates:
        if reason := gate.objection(session, attempt):
            return f"{gate.name}: {reason}"
    return None
