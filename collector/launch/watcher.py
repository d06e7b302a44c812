"""Each launch of an app is looked at once it is over: how long it took, what it read. The events tell of it."""

import json
import os
import queue
import select
import subprocess
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from subprocess import PIPE
from typing import Any

from collector.launch import proc
from collector.launch.inspection import Launch
from db.engine import Store
from db.intake import events, launches
from db.models import LaunchRow
from memo.core.bounded import BoundedDict
from memo.core.events import Event, Operation
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop import launch_sets
from memo.protocols import Stop
from memo.stack.spawn import child_environment, python_command

SETTLED_S, UNSEEN_S = 1.5, 8.0
"""A launch is over so long after its window had the focus; so long after its start, where no window is told of."""
LONGEST_S = 120.0
"""Of a look."""
APPS, TIMES = 100, 8
"""Of so many apps the last times of focus are remembered: the focus can be told of before the start."""
BESIDE_S = 5.0
"""An app that started so shortly before may be reading still."""
TELLS = "processes"
"""The source whose starts are those of real processes."""

log = get_logger(__name__)


class Launches:
    """Told of events in any thread, by `saw`; looks in the thread that runs it, at one launch after the other."""

    def __init__(self, store: Store, settings: Settings, home: Home) -> None:
        self._store, self._settings, self._home = store, settings, home
        self._told: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._woken = os.eventfd(0, os.EFD_NONBLOCK)
        self._begun: dict[str, Event] = {}
        self._starts: BoundedDict[str, datetime] = BoundedDict(APPS)
        self._focused: BoundedDict[str, deque[datetime]] = BoundedDict(APPS)

    def saw(self, found: Iterable[Event]) -> None:
        """These were stored just now."""
        for event in found:
            if event.scope == self._settings.scope and self._app(event):
                self._told.put(event)
                os.eventfd_write(self._woken, 1)

    def run(self, stop: Stop) -> None:
        """Look at launches until `stop` is set."""
        while not stop.is_set():
            select.select([stop.fileno(), self._woken], [], [], self._wait())
            self._take()
            for app in [app for app, event in self._begun.items() if self._over(event) <= time.time()]:
                try:
                    self.look(self._begun.pop(app), stop)
                except Exception as error:  # the next launch is another one; its words could tell of this one
                    log.warning("a launch was not looked at", reason=type(error).__name__)

    def look(self, started: Event, stop: Stop) -> None:
        """Look at the launch that an event tells of, and keep what was seen."""
        at = started.at.timestamp()
        began = at - (time.time() - proc.now())
        launch = Launch(started.target, started.executable, began, at, time.time(), self._was_alone(started))
        found = _learn(launch, stop)
        if found is None:
            return
        shown = self._shown(started)
        ms = (shown - started.at).total_seconds() * 1e3 if shown else None
        row = LaunchRow(
            scope=started.scope,
            app=started.target,
            executable=started.executable,
            at=started.at.astimezone(UTC),
            ms=ms,
            **found,
        )
        with self._store.write() as session:
            if events.has_action(session, started.scope, started.action):
                launches.add_launch(session, row)
            else:  # it was forgotten meanwhile
                launch_sets.remove(self._home, started.target)

    def _was_alone(self, started: Event) -> bool:
        """Whether no other app started since shortly before."""
        since = started.at - timedelta(seconds=BESIDE_S)
        return all(app == started.target or at < since for app, at in self._starts.items())

    def _app(self, event: Event) -> str:
        """The app that an event starts, or shows; else empty."""
        if event.operation is Operation.PROCESS_START and event.source == TELLS and event.executable:
            return event.target
        return event.app if event.operation is Operation.WINDOW_FOCUS else ""

    def _take(self) -> None:
        with suppress(BlockingIOError):  # a source enqueues an event before it wakes this thread
            os.eventfd_read(self._woken)
        while not self._told.empty():
            event = self._told.get()
            if event.operation is Operation.PROCESS_START:
                self._begun[event.target] = event
                self._starts[event.target] = event.at
            else:
                times = self._focused.get(event.app) or deque[datetime](maxlen=TIMES)
                times.append(event.at)
                self._focused[event.app] = times

    def _wait(self) -> float | None:
        """Seconds until the next launch is over; None where none is under way."""
        return min((max(0.0, self._over(event) - time.time()) for event in self._begun.values()), default=None)

    def _over(self, started: Event) -> float:
        shown = self._shown(started)
        return shown.timestamp() + SETTLED_S if shown else started.at.timestamp() + UNSEEN_S

    def _shown(self, started: Event) -> datetime | None:
        """When its first window had the focus."""
        return next((at for at in self._focused.get(started.target, ()) if at >= started.at), None)


def _learn(launch: Launch, stop: Stop) -> dict[str, Any] | None:
    """Return what `inspection` says of a launch; None if the app is gone, it failed, or `stop` was set meanwhile."""
    command = python_command("collector.launch.inspection")
    with subprocess.Popen(
        command, stdin=PIPE, stdout=PIPE, stderr=subprocess.DEVNULL, env=child_environment()
    ) as process:
        assert process.stdin and process.stdout
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(json.dumps(asdict(launch)).encode() + b"\n")
        ready, _, _ = select.select([process.stdout.fileno(), stop.fileno()], [], [], LONGEST_S)
        if process.stdout.fileno() not in ready:
            process.kill()
        found: dict[str, Any] | None = json.loads(process.stdout.read() or b"null")
    return found
