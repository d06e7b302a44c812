"""Apps that run: however many processes one has, it starts with the first and ends with the last of them."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from collector.launch.proc import Process
from memo.core.events import Operation
from memo.desktop.apps import RUNS_OTHERS


@dataclass(frozen=True, slots=True)
class Act:
    """The start or end of an app; `at` is on the clock of `Process.began`."""

    at: float
    operation: Operation
    app: str
    executable: str


@dataclass(slots=True)
class _App:
    executable: str
    pids: set[int] = field(default_factory=set)
    ended: float = 0.0
    """When the last of its processes went; not told yet, since one that it has started may take its place."""


class AppLifetimes:
    """All apps. One that ran before `since` gives no start."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._apps: dict[str, _App] = {}
        self._owners: dict[int, str] = {}

    def joined(self, app: str, processes: Iterable[Process]) -> list[Act]:
        """An app has these processes more."""
        acts = []
        ordered = sorted(processes, key=lambda process: process.began)
        executable = min(ordered, key=lambda process: bool(RUNS_OTHERS.fullmatch(_name(process)))).executable
        for process in ordered:
            found = self._apps.get(app)
            if found and not found.pids and found.ended < process.began:
                acts.append(self._end(app))
                found = None
            if found is None:
                found = self._apps[app] = _App(executable)
                if process.began >= self._since:
                    acts.append(Act(process.began, Operation.PROCESS_START, app, executable))
            found.pids.add(process.pid)
            self._owners[process.pid] = app
        return acts

    def left(self, pid: int, at: float) -> None:
        """A process has ended."""
        found = self._apps[self._owners.pop(pid)]
        found.pids.discard(pid)
        found.ended = at

    def ended(self, before: float) -> list[Act]:
        """The apps of which no process is left since then."""
        over = [app for app, found in self._apps.items() if not found.pids and found.ended < before]
        return [self._end(app) for app in over]

    @property
    def pids(self) -> Set[int]:
        """The processes of all apps."""
        return self._owners.keys()

    def _end(self, app: str) -> Act:
        found = self._apps.pop(app)
        return Act(found.ended, Operation.PROCESS_END, app, found.executable)


def _name(process: Process) -> str:
    return process.executable.rsplit("/", 1)[-1]
