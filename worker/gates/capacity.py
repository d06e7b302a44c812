"""Gates that look at the machine: what costs waits while it has little to spare."""

from sqlalchemy.orm import Session

from memo.protocols import Cost
from worker.effects.machine import Machine
from worker.gates.attempt import Attempt

MEMORY_STALLED, CPU_STALLED = 5.0, 40.0
"""Percent of the last 10 s in which something waited for memory, for a CPU."""
LOAD = 1.5
"""Load average of a minute, of each core."""


class Battery:
    """On battery there must be charge to spare."""

    name = "battery"

    def __init__(self, machine: Machine, percent: int) -> None:
        self._machine, self._percent = machine, percent

    def objection(self, session: Session, go: Attempt) -> str | None:
        """Too little."""
        charge = None if go.cost == Cost() else self._machine.battery()
        if charge is None or charge >= self._percent:
            return None
        return f"{charge:.0f} % is below {self._percent} %"


class Memory:
    """Nothing waits for memory."""

    name = "memory"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def objection(self, session: Session, go: Attempt) -> str | None:
        """Something does."""
        stalled = None if go.cost == Cost() else self._machine.stalled("memory")
        if stalled is None or stalled <= MEMORY_STALLED:
            return None
        return f"programs wait for memory {stalled:.0f} % of the time, at most {MEMORY_STALLED:.0f} %"


class Load:
    """The processors have time."""

    name = "load"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def objection(self, session: Session, go: Attempt) -> str | None:
        """They have none."""
        if go.cost == Cost():
            return None
        stalled, load = self._machine.stalled("cpu"), self._machine.load()
        if stalled is not None and stalled > CPU_STALLED:
            return f"programs wait for a processor {stalled:.0f} % of the time, at most {CPU_STALLED:.0f} %"
        return f"{load:.1f} for each core is above {LOAD:.1f}" if load > LOAD else None
