"""Gates: small rules, asked in order; the first that objects stops an attempt."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.orm import Session

from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.machine import Machine
from worker.gates.attempt import Attempt
from worker.gates.candidate import Confidence, Refused, TooLate
from worker.gates.capacity import Battery, Load, Memory
from worker.gates.person import FullScreen, Paused, QuietHours
from worker.gates.track_record import Budget, Cooldown, Resting, Value


class Gate(Protocol):
    """One rule."""

    name: str

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return the reason this gate blocks the attempt, with the value and its limit, or None."""


def gates(settings: Settings, home: Home, machine: Machine) -> Sequence[Gate]:
    """Return all gates in the order in which they are asked: first those that stop most and cost least."""
    dispatch = settings.dispatch
    return (
        Confidence(dispatch.minimum_probability),
        TooLate(),
        Paused(settings, home),
        Refused(),
        Resting(settings),
        Cooldown(dispatch.cooldown_s),
        Budget(dispatch.budget_per_hour, dispatch.budget_mb_per_hour),
        Value(),
        Battery(machine, dispatch.battery_percent),
        Memory(machine),
        Load(machine),
        QuietHours(settings),
        FullScreen(machine),
    )


def objection(gates: Sequence[Gate], session: Session, attempt: Attempt) -> str | None:
    """Return the name and the reason of the first gate that blocks the attempt, or None."""
    for gate in gates:
        if reason := gate.objection(session, attempt):
            return f"{gate.name}: {reason}"
    return None
