"""A virtual desktop to measure apps on: an X server, a session bus, and the time of an app's first window."""

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from Xlib import X
from Xlib.display import Display
from Xlib.error import XError

LONGEST_S = 90.0  # wait for a window
NARROW = 100  # pixels; narrower windows are invisible helpers
SETTLED_S = 1.5  # after its first window an app has read what it needs


@dataclass(frozen=True, slots=True)
class App:
    """An app, the command that starts it, and a part of its window's class, in lower case."""

    name: str
    command: tuple[str, ...]
    window: str


@dataclass(frozen=True, slots=True)
class Running:
    """An app that shows its first window."""

    process: "subprocess.Popen[bytes]"
    began_at: float  # seconds since the epoch
    ms: float  # from the start to the first window

    def end(self) -> None:
        """Kill the app and every process that it started."""
        found = self.tree()
        for one in reversed(found):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.wait()
        psutil.wait_procs(found, LONGEST_S)

    def tree(self) -> list[psutil.Process]:
        """Return the app's processes."""
        with suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.process.pid)
            return [first, *first.children(recursive=True)]
        return []


class Desktop:
    """One X server without a window manager."""

    def __init__(self, display: str, environment: dict[str, str]) -> None:
        self._environment = environment
        self._display = Display(display)
        self._display.screen().root.change_attributes(event_mask=X.SubstructureNotifyMask)
        self._display.sync()

    def launch(self, app: App) -> Running:
        """Start an app and wait for its first window."""
        while self._display.pending_events():
            self._display.next_event()
        at, began = time.time(), time.monotonic()
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            app.command, env=self._environment, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
        while not self._shows(app):
            left = began + LONGEST_S - time.monotonic()
            if left <= 0:
                raise SystemExit(f"{app.name} shows no window within {LONGEST_S:.0f} s")
            select.select([self._display], [], [], left)
        return Running(process, at, (time.monotonic() - began) * 1e3)

    def _shows(self, app: App) -> bool:
        while self._display.pending_events():
            event = self._display.next_event()
            if event.type == X.MapNotify and not event.override:
                with suppress(XError):
                    names = event.window.get_wm_class() or ()
                    if any(app.window in name.lower() for name in names) and event.window.get_geometry().width > NARROW:
                        return True
        return False


@contextmanager
def new_desktop(home: Path) -> Iterator[Desktop]:
    """Start an X server and a session bus; apps that are launched there have `home` as their home folder."""
    with tempfile.TemporaryDirectory() as runtime:
        reads, writes = os.pipe()
        server = subprocess.Popen(
            ["Xvfb", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset", "-displayfd", str(writes)],
            pass_fds=[writes],
            stderr=subprocess.DEVNULL,
        )
        os.close(writes)
        with open(reads, encoding="ascii") as answer:
            display = f":{answer.readline().strip()}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        environment |= {"DISPLAY": display, "HOME": str(home), "XDG_RUNTIME_DIR": runtime}
        bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert bus.stdout is not None
        environment["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        try:
            yield Desktop(display, environment)
        finally:
            for process in (bus, server):
                process.terminate()
                process.wait()
            bus.stdout.close()
