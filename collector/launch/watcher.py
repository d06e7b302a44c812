"""Inspects each launch of an app once it is complete: how long it took, and what it read."""

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
from datetime import datetime, timedelta
from subprocess import PIPE
from typing import Any

from collector.launch import proc
from collector.launch.inspection import Launch
from db.engine import Store
from db.intake import events, launch_sets, launches, scopes
from db.models import LaunchRow
from memo.core.bounded import BoundedDict
from memo.core.events import Event, Operation
from memo.core.logs import get_logger
from memo.core.settings import Settings
from memo.desktop.launch_sets import LaunchSet, as_dict, from_dict
from memo.protocols import Stop
from memo.stack.spawn import child_environment, python_command

SETTLED_S = 1.5  # a launch is complete this long after its window got the focus
UNSEEN_S = 8.0  # or this long after its start, if no window is reported
LONGEST_S = 120.0  # limit of an inspection
MAX_APPS = 100  # apps whose starts and times of focus are remembered
MAX_TIMES = 8  # times of focus per app; a focus may be reported before the start
OVERLAP_S = 5.0  # an app that started this long before may still be reading

log = get_logger(__name__)


class Launches:
    """Takes events from any thread, by `saw`, and inspects launches one by one in the thread that calls `run`."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._told: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._woken = os.eventfd(0, os.EFD_NONBLOCK)
        self._begun: dict[str, Event] = {}
        self._starts: BoundedDict[str, datetime] = BoundedDict(MAX_APPS)
        self._focused: BoundedDict[str, deque[datetime]] = BoundedDict(MAX_APPS)

    def saw(self, found: Iterable[Event]) -> None:
        """Enqueue events that have just been stored."""
        for event in found:
            if event.scope == self._settings.scope and self._app(event):
                self._told.put(event)
                os.eventfd_write(self._woken, 1)

    def run(self, stop: Stop) -> None:
        """Inspect launches until `stop` is set."""
        while not stop.is_set():
            select.select([stop.fileno(), self._woken], [], [], self._wait())
            self._take()
            for app in [app for app, event in self._begun.items() if self._over(event) <= time.time()]:
                try:
                    self.look(self._begun.pop(app), stop)
                except Exception as error:  # its message might name a file
                    log.warning("launch_not_inspected", reason=type(error).__name__)

    def look(self, started: Event, stop: Stop) -> None:
        """Inspect the launch that an event reports, and store the result."""
        at = started.at.timestamp()
        began = at - (time.time() - proc.now())
        launch = Launch(started.target, started.executable, began, at, time.time(), self._was_alone(started))
        with self._store.read() as session:
            known = launch_sets.find_launch_set(session, started.scope, started.target)
        found = _learn(launch, known, stop)
        if found is None:
            return
        shown = self._shown(started)
        ms = (shown - started.at).total_seconds() * 1e3 if shown else None
        row = LaunchRow(
            scope=started.scope,
            app=started.target,
            executable=started.executable,
            at=started.at,
            ms=ms,
            **found["counts"],
        )
        with self._store.write() as session:
            scopes.lock_scope(session, started.scope)  # what is forgotten just now is not stored after that
            if events.has_action(session, started.scope, started.action):
                launches.add_launch(session, row)
                launch_sets.record_launch_set(session, started.scope, from_dict(found["launch_set"]), known)

    def _was_alone(self, started: Event) -> bool:
        """Return whether no other app started from shortly before on."""
        since = started.at - timedelta(seconds=OVERLAP_S)
        return all(app == started.target or at < since for app, at in self._starts.items())

    def _app(self, event: Event) -> str:
        """Return the app that an event starts or shows; empty for any other event."""
        if event.operation is Operation.PROCESS_START and event.source == proc.SOURCE and event.executable:
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
                times = self._focused.get(event.app) or deque[datetime](maxlen=MAX_TIMES)
                times.append(event.at)
                self._focused[event.app] = times

    def _wait(self) -> float | None:
        """Return the seconds until the next launch is complete; None if there is none."""
        return min((max(0.0, self._over(event) - time.time()) for event in self._begun.values()), default=None)

    def _over(self, started: Event) -> float:
        shown = self._shown(started)
        return shown.timestamp() + SETTLED_S if shown else started.at.timestamp() + UNSEEN_S

    def _shown(self, started: Event) -> datetime | None:
        """Return when the app's first window got the focus, or None."""
        return next((at for at in self._focused.get(started.target, ()) if at >= started.at), None)


def _learn(launch: Launch, known: LaunchSet | None, stop: Stop) -> dict[str, Any] | None:
    """Return what `inspection` says of a launch; None if the app is gone, it failed, or `stop` was set meanwhile."""
    command = python_command("collector.launch.inspection")
    with subprocess.Popen(
        command, stdin=PIPE, stdout=PIPE, stderr=subprocess.DEVNULL, env=child_environment()
    ) as process:
        assert process.stdin and process.stdout
        with suppress(BrokenPipeError), process.stdin:
            given = {"launch": asdict(launch), "known": known and as_dict(known)}
            process.stdin.write(json.dumps(given).encode() + b"\n")
        ready, _, _ = select.select([process.stdout.fileno(), stop.fileno()], [], [], LONGEST_S)
        if process.stdout.fileno() not in ready:
            process.kill()
        found: dict[str, Any] | None = json.loads(process.stdout.read() or b"null")
    return found
