"""App starts and ends: new processes by a scan every second, each end as soon as it happens."""

import os
import select
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from threading import Event as Flag

from collector.launch import proc
from collector.launch.proc import SCAN_S, SETTLED_S, SOURCE, Process
from collector.sources.processes.app_lifetimes import AppLifetimes, StartOrEnd
from memo.core.events import Event
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.protocols import Batch, Emit, FindCursor, Stop
from memo.service.startup_files import STARTED
from memo.stack.spawn import PARENT


class ProcessesSource:
    """Implements `memo.protocols.Source`. Command lines are read to recognise apps, and never leave this source."""

    name = SOURCE

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings = settings
        self.watching = Flag()

    def missing(self) -> str:
        """Return that Linux's /proc or process descriptors are missing, and the remedy; empty if both are there."""
        if hasattr(os, "pidfd_open") and os.path.exists("/proc/self/stat"):
            return ""
        return "Starts and ends of apps are noticed only on Linux 5.3 or newer with /proc; update the kernel."

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Watch until `stop` is set. There is no cursor: apps that ran before, or ended meanwhile, give no event."""
        with select.epoll() as poll, closing(_Watcher(poll, self._settings.sources.system_processes)) as watcher:
            poll.register(stop, select.EPOLLIN)
            changes = watcher.scan()
            self.watching.set()
            due = proc.now() + SCAN_S
            while not stop.is_set():
                if changes:
                    emit(Batch(self._to_events(changes), self.name, {}))
                watcher.handle_ends(poll.poll(max(0.0, due - proc.now())))
                changes = []
                if proc.now() >= due:
                    changes = watcher.scan()
                    due = proc.now() + SCAN_S

    def _to_events(self, changes: Iterable[StartOrEnd]) -> list[Event]:
        zone, boot = self._settings.zone, time.time() - proc.now()
        return [
            Event(datetime.fromtimestamp(boot + one.at, zone), one.operation, one.app, executable=clean(one.executable))
            for one in sorted(changes, key=lambda change: change.at)
        ]


class _Watcher:
    """The known processes, and a descriptor for each whose end is awaited."""

    def __init__(self, poll: select.epoll, system: bool) -> None:
        self._poll, self._system = poll, system
        self._apps = Apps()
        self._lifetimes = AppLifetimes(since=proc.now() - 1 / proc.TICKS)
        self._known: set[int] = set()
        self._pids: dict[int, int] = {}  # descriptor -> process id

    def scan(self) -> list[StartOrEnd]:
        """Return the apps that have started or finally ended since the last scan."""
        now, running = proc.now(), proc.pids()
        for pid in self._lifetimes.pids - running:  # ended without a descriptor
            self._lifetimes.remove(pid, now)
        self._known &= running
        found: dict[str, list[Process]] = defaultdict(list)
        for pid in running - self._known:
            if proc.age(pid) < SETTLED_S:
                continue
            self._known.add(pid)
            if (process := proc.read(pid)) and (app := self._app(process)) and self._await_end(pid):
                found[app].append(process)
        changes = [change for app, processes in found.items() for change in self._lifetimes.add(app, processes)]
        return changes + self._lifetimes.pop_ended(now - SETTLED_S)  # any successor has been examined by now

    def handle_ends(self, events: Iterable[tuple[int, int]]) -> None:
        """Record the ends that the poll has reported."""
        for file, _ in events:
            if file in self._pids:
                pid = self._pids.pop(file)
                os.close(file)
                self._known.discard(pid)  # the system may reuse the id
                if pid in self._lifetimes.pids:
                    self._lifetimes.remove(pid, proc.now())

    def close(self) -> None:
        """Close the descriptors."""
        for file in self._pids:
            os.close(file)

    def _app(self, process: Process) -> str:
        app = self._apps.of_process(process.executable, process.arguments)
        if not app and self._system:
            app = clean(os.path.basename(process.executable))
        return "" if app and _is_ours(process) else app

    def _await_end(self, pid: int) -> bool:
        """Register a process with the poll; return whether it still runs."""
        try:
            file = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        except OSError:  # no descriptors left: the next scan notices the end
            return True
        self._poll.register(file, select.EPOLLIN)
        self._pids[file] = pid
        return True


def _is_ours(process: Process) -> bool:
    """Return whether a process is part of MEMO, was started by a part, or is the command `memo`."""
    with suppress(KeyError):
        if proc.descends(process.pid, int(os.environ[PARENT])):
            return True
    return proc.is_in_unit(process.pid, STARTED) or str(Path(sys.executable).with_name("memo")) in process.arguments
