"""Lifetimes of apps: an app starts with the first of its processes and ends with the last."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from collector.launch.proc import Process
from memo.core.events import Operation
from memo.desktop.apps import RUNS_OTHERS


@dataclass(frozen=True, slots=True)
class StartOrEnd:
    """The start or end of an app; `at` is on the clock of `Process.began`."""

    at: float
    operation: Operation
    app: str
    executable: str


@dataclass(slots=True)
class _App:
    executable: str
    pids: set[int] = field(default_factory=set)
    ended: float = 0.0  # when the last process ended; not final, as a process that it started may take its place


class AppLifetimes:
    """All running apps. An app that ran before `since` gives no start."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._apps: dict[str, _App] = {}
        self._owners: dict[int, str] = {}

    def add(self, app: str, processes: Iterable[Process]) -> list[StartOrEnd]:
        """Add processes to an app; return the start or end that they imply."""
        changes = []
        ordered = sorted(processes, key=lambda process: process.began)
        executable = min(ordered, key=lambda process: bool(RUNS_OTHERS.fullmatch(_name(process)))).executable
        for process in ordered:
            found = self._apps.get(app)
            if found and not found.pids and found.ended < process.began:
                changes.append(self._pop_end(app))
                found = None
            if found is None:
                found = self._apps[app] = _App(executable)
                if process.began >= self._since:
                    changes.append(StartOrEnd(process.began, Operation.PROCESS_START, app, executable))
            found.pids.add(process.pid)
            self._owners[process.pid] = app
        return changes

    def remove(self, pid: int, at: float) -> None:
        """Record the end of a process."""
        found = self._apps[self._owners.pop(pid)]
        found.pids.discard(pid)
        found.ended = at

    def pop_ended(self, before: float) -> list[StartOrEnd]:
        """Remove the apps whose last process ended before a time; return their ends."""
        ended = [app for app, found in self._apps.items() if not found.pids and found.ended < before]
        return [self._pop_end(app) for app in ended]

    @property
    def pids(self) -> Set[int]:
        """The process ids of all apps."""
        return self._owners.keys()

    def _pop_end(self, app: str) -> StartOrEnd:
        found = self._apps.pop(app)
        return StartOrEnd(found.ended, Operation.PROCESS_END, app, found.executable)


def _name(process: Process) -> str:
    return process.executable.rsplit("/", 1)[-1]
