"""Rounds of faults at random points of a stream of events, with a fixed seed; prints a table and writes docs/faults.md.

PYTHONPATH=tests python tests/faults/rounds.py [--rounds N] [--seed N] [--database-url URL] [--broker-url URL]
"""

import argparse
import os
import platform
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
from stack import SCOPE, Stack, new_stack
from stopping import family
from waiting import until

from memo.stack import running

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
PARTS = ("broker", "collector", "worker", "dispatcher", "supervisor")
BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
PAUSE_S = 0.05  # between two lines
STOP_S = 30.0  # for which a process stands still
NAMED_S = 15.0  # within which `memo status` names a fault
PREDICTED_S = 15.0  # within which the newest window is predicted once the fault is over
HEAD = ("round", "fault", "of", "lines", "named, s", "predicted, s", "lost", "doubled", "orphans")


@dataclass
class Stream:
    """Appends lines that are all different to the inbox, from a thread of its own."""

    stack: Stack
    written: int = 0
    _stop: Event = field(default_factory=Event)
    _thread: Thread | None = None

    def begin(self) -> None:
        """Append lines until `end`."""
        self._stop.clear()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Append no more."""
        assert self._thread is not None
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            at = BEGIN + timedelta(seconds=self.written)
            self.stack.append([f"{at:%Y-%m-%d %H:%M:%S} - Started app: App{self.written % 7}"])
            self.written += 1


def pid_of(stack: Stack, part: str) -> int:
    """Return the process of a part, or of the supervisor."""
    state = running.state(stack.home)
    pid: int = state["pid"] if part == "supervisor" else next(p["pid"] for p in state["parts"] if p["name"] == part)
    return pid


def kill(stack: Stack, part: str) -> None:
    """Kill a process; nobody but a person starts a supervisor again."""
    os.kill(pid_of(stack, part), signal.SIGKILL)


def stop(stack: Stack, part: str) -> None:
    """Let a process and all below it stand still for a while."""
    pids = family(pid_of(stack, part))
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(STOP_S)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def damage(stack: Stack, _part: str) -> None:
    """Write over the beginning of the broker's files, as a power failure may, and kill it."""
    pid = pid_of(stack, "broker")
    for path in (stack.home.broker / "appendonlydir").glob("*.incr.aof"):
        with path.open("r+b") as file:
            file.write(b"\0" * 64)
    os.kill(pid, signal.SIGKILL)


def is_named(stack: Stack, before: dict[str, Any]) -> bool:
    """Whether `memo status` shows that something is wrong, or that a part was restarted."""
    found = stack.status()
    states = {part["state"] for part in found["parts"]}
    is_same = Counter(p["restarts"] for p in found["parts"]) == Counter(p["restarts"] for p in before["parts"])
    return bool(found["problems"]) or states != {"running"} or not is_same or found["pid"] != before["pid"]


def watch_status(stack: Stack, before: dict[str, Any], began: float, named: list[float]) -> None:
    """Note after how many seconds the status names the fault."""
    while time.monotonic() - began < 2 * NAMED_S and not named:
        if is_named(stack, before):
            named.append(time.monotonic() - began)
        time.sleep(0.2)


def play(stack: Stack, stream: Stream, fault: Callable[[Stack, str], None], part: str, wait_s: float) -> list[Any]:
    """Make one fault in the stream, and return the cells of its row."""
    until("all parts run", lambda: {p["state"] for p in running.state(stack.home)["parts"]} == {"running"})
    before, named = stack.status(), list[float]()
    first = stream.written
    stream.begin()
    time.sleep(wait_s)
    began = time.monotonic()
    watcher = Thread(target=watch_status, args=(stack, before, began, named))
    watcher.start()
    fault(stack, part)
    if part == "supervisor" and fault is kill:
        until("it is gone", lambda: running.holder(stack.home) is None)
        watcher.join()
        stack.ok("up")
    ended = time.monotonic()
    stream.end()
    stack.until_stored(stream.written)
    stack.until_predicted()
    predicted_s = time.monotonic() - ended
    watcher.join()
    times = stack.sql(f"SELECT at, target FROM events WHERE scope = '{SCOPE}'")
    lost, doubled = stream.written - len(set(times)), len(times) - len(set(times))
    return [stream.written - first, named[0] if named else None, predicted_s, lost, doubled, len(orphans(stack))]


def orphans(stack: Stack) -> list[psutil.Process]:
    """Return processes of the home that do not belong to its supervisor."""
    ours = set(family(pid_of(stack, "supervisor")))
    return [process for process in stack.processes() if process.pid not in ours and process.is_running()]


def as_line(cells: list[Any]) -> str:
    shown = [f"{cell:.1f}" if isinstance(cell, float) else "–" if cell is None else str(cell) for cell in cells]
    return f"| {' | '.join(shown)} |"


def is_good(row: list[Any]) -> bool:
    """Whether a row is as promised."""
    *_, named_s, predicted_s, lost, doubled, left = row
    in_time = named_s is not None and named_s <= NAMED_S and predicted_s <= PREDICTED_S
    return in_time and (lost, doubled, left) == (0, 0, 0)


def main() -> int:
    """Play the rounds; return 1 if one was not as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--broker-url", default="")
    given = parser.parse_args()
    urls = {"MEMO_DATABASE_URL": given.database_url, "MEMO_BROKER_URL": given.broker_url}
    parts = [part for part in PARTS if part != "broker" or not given.broker_url]
    chooser, rows = random.Random(given.seed), list[list[Any]]()
    kinds: list[tuple[Callable[[Stack, str], None], str]] = [(fault, part) for fault in (kill, stop) for part in parts]
    kinds += [] if given.broker_url else [(damage, "broker")]
    order = [kind for _ in range(1 + given.rounds // len(kinds)) for kind in chooser.sample(kinds, len(kinds))]
    print(as_line([*HEAD]), as_line(["---"] * len(HEAD)), sep="\n", flush=True)
    with new_stack(**{name: url for name, url in urls.items() if url}) as stack:
        stack.ok("up")
        stream = Stream(stack)
        for number, (fault, part) in enumerate(order[: given.rounds], 1):
            rows.append([number, fault.__name__, part, *play(stack, stream, fault, part, chooser.uniform(0.5, 4.0))])
            print(as_line(rows[-1]), flush=True)
        stack.ok("down")
        left = stack.leftovers()
    good = sum(map(is_good, rows))
    says = f"{good} of {len(rows)} rounds as promised; left over after `memo down`: {', '.join(left) or 'nothing'}."
    print(says)
    write(rows, says, given)
    return 0 if good == len(rows) and not left else 1


def write(rows: list[list[Any]], says: str, given: argparse.Namespace) -> None:
    """Write the document."""
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    places = f"{given.database_url or 'SQLite'}, {given.broker_url or 'the embedded broker'}"
    text = f"""# Faults

What MEMO does when its processes are killed or stand still in the middle of a stream of events, and when the broker's
files are damaged. Promised: no event is lost or doubled, `memo status` names the fault within {NAMED_S:.0f} s, the
newest window is predicted within {PREDICTED_S:.0f} s after the fault, and no process is left over.

`make faults ROUNDS={given.rounds}` (seed {given.seed}) on {places}; {machine}, {datetime.now(UTC):%Y-%m-%d}; load
average {os.getloadavg()[2]:.1f}. What stands still does so for {STOP_S:.0f} s, with all processes below it.

{as_line([*HEAD])}
{as_line(["---"] * len(HEAD))}
{chr(10).join(map(as_line, rows))}

{says}
"""
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
