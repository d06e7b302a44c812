"""The collector's sources on a virtual desktop: whether they miss anything, their delay, and their cost when idle.

    python bench/collect.py

Needs the packages that `make test-desktop-deps` installs.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from _stack import Report, new_home, p50_p99, processes, up, wakes
from Xlib import X
from Xlib.display import Display
from Xlib.protocol.event import ClientMessage

from memo.core.paths import Home

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from xserver import Desktop, new_desktop  # noqa: E402

CHANGES = 1_000  # focus changes
OVER_S = 60.0  # duration of all changes
WINDOWS = 4
PAUSE_S = 0.001  # between two queries for a row
IDLE_S = 60.0  # measured
SETTLE_S = 10.0  # before that
MB = 1e6


@contextmanager
def workstation(*on: str) -> Iterator[tuple[Home, Desktop]]:
    """Run the stack on a desktop with some windows, with the named source, or all sources if none is named."""
    with new_home() as home, new_desktop() as desktop:
        os.environ["DISPLAY"] = desktop.display
        del os.environ["MEMO_SOURCES__ON"]
        if on:
            os.environ["MEMO_SOURCES__ON"] = f'["{on[0]}"]'
        for number in range(WINDOWS):
            desktop.terminal(f"Window {number}")
            desktop.window(f"Window {number}")
        with up():
            yield home, desktop


def focus(report: Report) -> None:
    """Switch between windows, and wait for the row of each switch."""
    with (
        workstation("x11") as (home, desktop),
        closing(Display(desktop.display)) as display,
        closing(sqlite3.connect(home.root / "memo.db")) as store,
    ):
        windows = [int(desktop.window(f"Window {number}")) for number in range(WINDOWS)]
        expected, took = [f"Window {WINDOWS - 1}"], list[float]()
        while _titles(store) != expected:
            time.sleep(PAUSE_S)
        began = time.monotonic()
        for nth in range(CHANGES):
            number = nth % WINDOWS
            expected.append(f"Window {number}")
            before, changed = _count(store), time.monotonic()
            _activate(display, windows[number])
            slot_ends = began + (nth + 1) * OVER_S / CHANGES
            while _count(store) == before and time.monotonic() < slot_ends:
                time.sleep(PAUSE_S)
            took.append(time.monotonic() - changed)
            time.sleep(max(0.0, slot_ends - time.monotonic()))
        time.sleep(1)
        found = _titles(store)
    same = "all, in order" if found == expected else f"{len(found) - 1:,}"
    report.add(f"{CHANGES:,} focus changes in {OVER_S:.0f} s: stored", same, "all")
    report.add("focus change → row visible to another process, p50 / p99", p50_p99(took), "p50 ≤ 30 ms")


def _activate(display: Display, window: int) -> None:
    """Activate a window as a taskbar does. Source: Extended Window Manager Hints 1.5."""
    from_taskbar = 2
    atom = display.intern_atom("_NET_ACTIVE_WINDOW")
    message = ClientMessage(window=window, client_type=atom, data=(32, [from_taskbar, X.CurrentTime, 0, 0, 0]))
    mask = X.SubstructureNotifyMask | X.SubstructureRedirectMask
    display.screen().root.send_event(message, event_mask=mask)
    display.flush()


def _titles(store: sqlite3.Connection) -> list[str]:
    rows = store.execute("SELECT target FROM events WHERE operation = 'window_focus' ORDER BY seq").fetchall()
    return [title for (title,) in rows]


def _count(store: sqlite3.Connection) -> int:
    return int(store.execute("SELECT count(*) FROM events WHERE operation = 'window_focus'").fetchone()[0])


@dataclass
class Cost:
    """CPU seconds, wake-ups and bytes of memory of the collector and its children."""

    cpu_s: float = 0.0
    wakes: int = 0
    memory: int = 0


def _cost() -> Cost:
    cost = Cost()
    for pid in [pid for pid, name in processes().items() if name == "collector"]:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            cost.cpu_s += times.user + times.system
            cost.memory += psutil.Process(pid).memory_full_info().pss
            cost.wakes += wakes(pid)
    return cost


def idle(report: Report, *on: str) -> None:
    """Measure the collector while nothing happens."""
    name = f"{', '.join(on)} alone" if on else "all sources on"
    with workstation(*on):
        time.sleep(SETTLE_S)
        before = _cost()
        time.sleep(IDLE_S)
        after = _cost()
    cpu = (after.cpu_s - before.cpu_s) / IDLE_S * 100
    report.add(f"idle desktop, {name}: collector, of one core", f"{cpu:.2f} %", "" if on else "≤ 0.3 %")
    report.add(f"idle desktop, {name}: collector, memory (PSS)", f"{after.memory / MB:.0f} MB", "" if on else "≤ 90 MB")
    report.add(f"idle desktop, {name}: wake-ups in {IDLE_S:.0f} s", f"{after.wakes - before.wakes}")


def main() -> None:
    """Print the table."""
    report = Report("Collector sources")
    focus(report)
    idle(report)
    idle(report, "x11")
    report.show()


if __name__ == "__main__":
    main()
