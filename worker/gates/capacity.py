"""Gates about the machine: attempts that cost something wait while it is busy."""

from sqlalchemy.orm import Session

from memo.desktop.machine import Machine
from memo.protocols import Cost
from worker.gates.attempt import Attempt

MEMORY_STALLED = 5.0  # most percent of the last 10 s in which some program waited for memory
CPU_STALLED = 40.0  # most percent of the last 10 s in which some program waited for a processor
LOAD = 1.5  # highest load average of the last minute, per core


class Battery:
    """On battery, enough charge must be left."""

    name = "battery"

    def __init__(self, machine: Machine, percent: int) -> None:
        self._machine, self._percent = machine, percent

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return the charge and the minimum, or None."""
        charge = None if attempt.cost == Cost() else self._machine.battery()
        if charge is None or charge >= self._percent:
            return None
        return f"{charge:.0f} % is below {self._percent} %"


class Memory:
    """No program may be waiting for memory."""

    name = "memory"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return how much programs wait for memory, or None."""
        stalled = None if attempt.cost == Cost() else self._machine.stalled("memory")
        if stalled is None or stalled <= MEMORY_STALLED:
            return None
        return f"programs wait for memory {stalled:.0f} % of the time, the limit is {MEMORY_STALLED:.0f} %"


class Load:
    """The processors must have time to spare."""

    name = "load"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return how much programs wait for a processor, or the load, or None."""
        if attempt.cost == Cost():
            return None
        stalled, load = self._machine.stalled("cpu"), self._machine.load()
        if stalled is not None and stalled > CPU_STALLED:
            return f"programs wait for a processor {stalled:.0f} % of the time, the limit is {CPU_STALLED:.0f} %"
        return f"a load of {load:.1f} per core is above {LOAD:.1f}" if load > LOAD else None
