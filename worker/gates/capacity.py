"""Gates about the machine: attempts that cost something wait while it is busy."""

from sqlalchemy.orm import Session

from memo.desktop.machine import Machine
from memo.protocols import Cost
from worker.gates.attempt import Attempt

MEMORY_STALLED = 5.0  # most percent of the last 10 s in which some program waited for memory
CPU_STALLED = 40.0  # most percent of the last 10 s in which some program waited for a processor
LOAD = 1.5  # highest load average of the last minute, per core


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
