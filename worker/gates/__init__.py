"""May we act? Small ordered rules; the first that objects stops a go."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.orm import Session

from memo.core.paths import Home
from memo.core.settings import Settings
from worker.effects.machine import Machine
from worker.gates.attempt import Attempt
from worker.gates.candidate import Confidence, Refused, TooLate
from worker.gates.capacity import Battery, Load, Memory
from worker.gates.person import FullScreen, Paused, QuietHours
from worker.gates.track_record import Budget, Cooldown, TurnedOff, Value


class Gate(Protocol):
    """One rule."""

    name: str

    def objection(self, session: Session, go: Attempt) -> str | None:
        """Why not to act, and by how much; None lets it pass."""


def gates(settings: Settings, home: Home, machine: Machine) -> Sequence[Gate]:
    """All gates, in the order in which they are asked: first what stops most and is known at once."""
    given = settings.dispatch
    return (
        Confidence(given.minimum_probability),
        TooLate(),
        Paused(settings, home),
        Refused(),
        TurnedOff(settings),
        Cooldown(given.cooldown_s),
        Budget(given.budget_per_hour, given.budget_mb_per_hour),
        Value(),
        Battery(machine, given.battery_percent),
        Memory(machine),
        Load(machine),
        QuietHours(settings),
        FullScreen(machine),
    )


def objection(gates: Sequence[Gate], session: Session, go: Attempt) -> str | None:
    """The name and the words of the first gate that stops it."""
    for gate in gates:
        if words := gate.objection(session, go):
            return f"{gate.name}: {words}"
    return None
