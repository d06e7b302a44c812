"""Start and end of apps: once a second the processes that are new, and each end as it comes."""

import os
import select
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from threading import Event as Flag
from typing import Any

from collector.launch import proc
from collector.launch.proc import Process
from collector.sources.processes.app_lifetimes import Act, AppLifetimes
from memo.core.events import Event
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.protocols import Batch, Emit, Stop
from memo.stack.spawn import PARENT

SCAN_S = 1.0
SETTLED_S = 1.0
"""A younger process may be about to become another program, or another user's; it is looked at later."""


class ProcessesSource:
    """Implements `memo.protocols.Source`. Command lines are looked at to know an app, and never leave here."""

    name = "processes"

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings = settings
        self.watching = Flag()

    def missing(self) -> str:
        """Linux's /proc and descriptors of processes."""
        if hasattr(os, "pidfd_open") and os.path.exists("/proc/self/stat"):
            return ""
        return "Starts and ends of apps are noticed on Linux 5.3 or newer only, with /proc; update the kernel."

    def run(self, emit: Emit, cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
        """Watch until `stop` is set. There is no cursor: what ran before, or ended meanwhile, gives no event."""
        with select.epoll() as poll, closing(_Watch(poll, self._settings.sources.system_processes)) as watch:
            poll.register(stop, select.EPOLLIN)
            acts = watch.scan()
            self.watching.set()
            due = proc.now() + SCAN_S
            while not stop.is_set():
                if acts:
                    emit(Batch(self._events(acts), self.name, {}))
                watch.take(poll.poll(max(0.0, due - proc.now())))
                acts = []
                if proc.now() >= due:
                    acts = watch.scan()
                    due = proc.now() + SCAN_S

    def _events(self, acts: Iterable[Act]) -> list[Event]:
        zone, boot = self._settings.zone, time.time() - proc.now()
        return [
            Event(datetime.fromtimestamp(boot + act.at, zone), act.operation, act.app, executable=clean(act.executable))
            for act in sorted(acts, key=lambda act: act.at)
        ]


class _Watch:
    """The processes that are known, and those of them whose end is waited for."""

    def __init__(self, poll: select.epoll, system: bool) -> None:
        self._poll, self._system = poll, system
        self._apps = Apps()
        self._running = AppLifetimes(since=proc.now() - 1 / proc.TICKS)
        self._known: set[int] = set()
        self._waited: dict[int, int] = {}  # descriptor -> process

    def scan(self) -> list[Act]:
        """What began since the last time, and what has ended for good."""
        now, listed = proc.now(), proc.pids()
        for pid in self._running.pids - listed:  # where there was no descriptor left to wait with
            self._running.left(pid, now)
        self._known &= listed
        found: dict[str, list[Process]] = defaultdict(list)
        for pid in listed - self._known:
            if proc.age(pid) < SETTLED_S:
                continue
            self._known.add(pid)
            if (process := proc.read(pid)) and (app := self._app(process)) and self._wait_for(pid):
                found[app].append(process)
        acts = [act for app, processes in found.items() for act in self._running.joined(app, processes)]
        return acts + self._running.ended(now - SETTLED_S)  # all that could have taken its place are looked at

    def take(self, events: Iterable[tuple[int, int]]) -> None:
        """Note the ends that the poll has told of."""
        for file, _ in events:
            if file in self._waited:
                pid = self._waited.pop(file)
                os.close(file)
                self._known.discard(pid)  # the number may be another process's by now
                if pid in self._running.pids:
                    self._running.left(pid, proc.now())

    def close(self) -> None:
        """Give the descriptors back."""
        for file in self._waited:
            os.close(file)

    def _app(self, process: Process) -> str:
        app = self._apps.of_process(process.executable, process.arguments)
        if not app and self._system:
            app = clean(os.path.basename(process.executable))
        return "" if app and _is_ours(process) else app

    def _wait_for(self, pid: int) -> bool:
        """Whether the process still runs; its end is told to the poll."""
        try:
            file = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        except OSError:  # no descriptor is left: the next scan sees the end
            return True
        self._poll.register(file, select.EPOLLIN)
        self._waited[file] = pid
        return True


def _is_ours(process: Process) -> bool:
    """A part of MEMO, what a part has started, or the command `memo`."""
    with suppress(KeyError):
        if proc.descends(process.pid, int(os.environ[PARENT])):
            return True
    return str(Path(sys.executable).with_name("memo")) in process.arguments
