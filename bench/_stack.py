"""Shared by the programs that measure: a temporary home, the stack in it, events, and the report."""

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path

import psutil

from data.synthetic.people import SAMPLE_SEED, Person, stream
from db import migrate
from db.engine import Store, open_store
from db.intake import events
from memo.core.events import Event
from memo.core.grammar import write
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running

MEMO = Path(sys.executable).parent / "memo"
BUSY = 1.0  # load average above which other work disturbs a measurement
SETTLE_S = 60.0  # longest wait for the load to fall
DAYS = 12  # of one invented person; more events come from several people, one after another

Row = tuple[str, str, str]
"""Figure, goal, result."""


class Report:
    """A program's table; create it first, so that the load average does not include the program's own work."""

    def __init__(self, title: str) -> None:
        deadline = time.monotonic() + SETTLE_S
        while os.getloadavg()[0] > BUSY and time.monotonic() < deadline:
            time.sleep(1)
        self._title, self._load, self._rows = title, os.getloadavg()[0], list[Row]()

    def add(self, figure: str, result: str, goal: str = "") -> None:
        """Add a row."""
        self._rows.append((figure, goal, result))

    def show(self) -> None:
        """Print the table as markdown."""
        load = f"load average {self._load:.1f}" + (", **measured under load**" if self._load > BUSY else "")
        print(f"## {self._title}\n")
        print(f"`.venv/bin/python {' '.join(sys.argv)}` on {machine()}; {load}.\n")
        print("| figure | goal | result |\n| --- | --: | --: |")
        for row in self._rows:
            print(f"| {' | '.join(row)} |")
        print(flush=True)


def machine() -> str:
    """Return a description of this machine, with the date."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, "
        f"Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"
    )


@contextmanager
def new_home() -> Iterator[Home]:
    """Provide an empty MEMO_HOME, removed at the end, without any other setting from the environment."""
    for name in [name for name in os.environ if name.startswith("MEMO_") and name != "MEMO_EVENT_FILES"]:
        del os.environ[name]
    root = tempfile.mkdtemp(prefix="mb", dir="/tmp")
    os.environ |= {"MEMO_HOME": root, "MEMO_SOURCES__ON": '["inbox"]'}  # nothing that happens on this desktop
    try:
        yield (home := Home.find())
    finally:
        shutil.rmtree(home.in_memory, ignore_errors=True)
        shutil.rmtree(root)


@contextmanager
def up() -> Iterator[None]:
    """Run the whole stack in the background."""
    memo("up")
    try:
        yield
    finally:
        memo("down")


def memo(*words: str) -> str:
    """Run a `memo` command and return its output; exit with its errors if it fails."""
    done = subprocess.run([MEMO, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"memo {' '.join(words)}: {done.stderr}")
    return done.stdout


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


@contextmanager
def store(home: Home) -> Iterator[Store]:
    """Open the home's store, with its tables."""
    settings = Settings.load()
    migrate.upgrade(settings, home)
    opened = open_store(settings, home)
    try:
        yield opened
    finally:
        opened.close()


def wait_for(seq: int, opened: Store) -> None:
    """Wait until the event number `seq` is stored."""
    scope = Settings.load().scope
    while True:
        with opened.read() as session:
            if events.find_last_seq(session, scope) >= seq:
                return
        time.sleep(0.02)


def invented(number: int) -> list[Event]:
    """Return past events of invented people, in order."""
    return list(islice(_days(datetime.now(UTC)), number))[::-1]


def _days(now: datetime) -> Iterator[Event]:
    """Yield events backwards from today: `DAYS` days of one person, then of the next one."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for nth in count(1):
        start = midnight - timedelta(days=DAYS * nth + 1)
        yield from reversed(stream(Person(SAMPLE_SEED + nth - 1, "en"), DAYS, start))


def write_lines(path: Path, given: Sequence[Event]) -> None:
    """Write a file of event lines."""
    path.write_text("".join(f"{write(event, 'en')}\n" for event in given), "utf-8")


def processes() -> dict[int, str]:
    """Return the pids of the stack's processes, each with the name of its part."""
    state = running.state(Home.find())
    found = {state["pid"]: "supervisor"}
    for part in state["parts"]:
        one = psutil.Process(part["pid"])
        found |= {process.pid: part["name"] for process in (one, *one.children(recursive=True))}
    return found


def wakes(pid: int) -> int:
    """Return how often the threads of a process have woken up after a wait."""
    found = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        with suppress(OSError):  # the thread has just ended
            found += int(status.read_text().rpartition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return found


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def share(values: Sequence[float], of: float) -> float:
    """Return the quantile `of`: this share of the values is no larger."""
    return sorted(values)[min(len(values) - 1, int(len(values) * of))]


def p50_p99(values: Sequence[float]) -> str:
    """Return p50 and p99 of values in seconds, as milliseconds."""
    return f"{median(values) * 1e3:.1f} / {share(values, 0.99) * 1e3:.1f} ms"
