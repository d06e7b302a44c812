"""Rounds of faults at random points of a stream of events, with a fixed seed; writes its part of docs/faults.md.

PYTHONPATH=tests python tests/faults/rounds.py [--rounds N] [--seed N] [--broker embedded|redis|rabbitmq]

With Redis or RabbitMQ the store is on Postgres; the program starts servers of its own and ends and restarts them.
"""

import argparse
import os
import platform
import random
import re
import shutil
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any

import psutil
from disks import disk
from false_clock import FalseClock
from faults import LASTS_S, Fault, all_faults, pid_of
from own_servers import OwnServer, folder, postgres, postgres_user, rabbitmq, redis, started
from stack import SCOPE, Stack
from stopping import family
from waiting import until

from memo.core.paths import Home
from memo.stack import running

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
TITLES = {
    "embedded": "SQLite and the embedded broker",
    "redis": "Postgres and Redis",
    "rabbitmq": "Postgres and RabbitMQ",
}
BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
PAUSE_S = 0.05  # between two lines
AFTER_S = 3.0  # for which lines still come once a fault is over
DISK = "1g"
NAMED_S = 15.0  # within which `memo status` names a fault
PREDICTED_S = 15.0  # within which the newest window is predicted once the fault is over
HEAD = ("fault", "of", "rounds", "lines", "named, s", "predicted, s", "lost", "doubled", "orphans", "as promised")


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
            self.append(self.written)
            self.written += 1

    def append(self, number: int) -> None:
        """Append a line, whole; a program that finds the disk full tries again."""
        at = BEGIN + timedelta(seconds=number)
        line = f"{at:%Y-%m-%d %H:%M:%S} - Started app: App{number % 7}\n".encode()
        with (self.stack.home.inbox / "events.txt").open("ab", buffering=0) as inbox:
            whole = inbox.tell()
            while True:
                try:
                    if inbox.write(line) == len(line):
                        return
                except OSError:
                    time.sleep(1)
                inbox.truncate(whole)


@dataclass(frozen=True)
class Round:
    """What one fault did; `named_s` is None where `memo status` never named it."""

    lines: int
    named_s: float | None
    predicted_s: float
    lost: int
    doubled: int
    orphans: int

    @property
    def is_good(self) -> bool:
        """Whether it is as promised."""
        in_time = self.named_s is not None and self.named_s <= NAMED_S and self.predicted_s <= PREDICTED_S
        return in_time and (self.lost, self.doubled, self.orphans) == (0, 0, 0)


def is_named(found: dict[str, Any], before: dict[str, Any]) -> bool:
    """Return whether `memo status` shows a new problem, or that a part was restarted."""
    states = {part["state"] for part in found["parts"]}
    is_same = Counter(p["restarts"] for p in found["parts"]) == Counter(p["restarts"] for p in before["parts"])
    is_new = bool(problems(found) - problems(before))
    return is_new or states != {"running"} or not is_same or found["pid"] != before["pid"]


def problems(found: dict[str, Any]) -> set[str]:
    """All problems that a status names."""
    return {*found["problems"], found.get("problem", "")}


def watch_status(stack: Stack, before: dict[str, Any], began: float, named: list[float]) -> None:
    """Note after how many seconds the status names the fault."""
    while time.monotonic() - began < 2 * NAMED_S and not named:
        if is_named(stack.status(), before):
            named.append(time.monotonic() - began)
        time.sleep(0.2)


def play(stack: Stack, stream: Stream, fault: Fault, wait_s: float) -> Round:
    """Make one fault in the stream, and return what came of it."""
    until("all parts run", lambda: {p["state"] for p in running.state(stack.home)["parts"]} == {"running"})
    before, named = stack.status(), list[float]()
    first = stream.written
    stream.begin()
    time.sleep(wait_s)
    fault.prepare()
    began = time.monotonic()
    watcher = Thread(target=watch_status, args=(stack, before, began, named))
    watcher.start()
    fault.make()
    if fault.asks_up:
        until("it is gone", lambda: running.holder(stack.home) is None)
        watcher.join()
        stack.ok("up")
    ended = time.monotonic()
    time.sleep(AFTER_S)
    stream.end()
    stack.until_stored(stream.written)
    stack.until_predicted()
    predicted_s = time.monotonic() - ended
    watcher.join()
    times = stack.sql(f"SELECT at, target FROM events WHERE scope = '{SCOPE}'")
    lost, doubled = stream.written - len(set(times)), len(times) - len(set(times))
    named_s = named[0] if named else None
    return Round(stream.written - first, named_s, predicted_s, lost, doubled, len(orphans(stack)))


def orphans(stack: Stack) -> list[psutil.Process]:
    """Processes of the home that do not belong to its supervisor."""
    ours = set(family(pid_of(stack, "supervisor")))
    return [process for process in stack.processes() if process.pid not in ours and process.is_running()]


@contextmanager
def new_home() -> Iterator[Home]:
    """A home on a small disk of its own where this user may mount one, else in a folder."""
    with disk(DISK) if not os.geteuid() else folder() as root:
        home = Home(root)
        try:
            yield home
        finally:
            shutil.rmtree(home.in_memory, ignore_errors=True)


@contextmanager
def new_servers(broker: str) -> Iterator[list[OwnServer]]:
    """The servers that a stack with this broker needs, running."""
    if broker == "embedded":
        yield []
        return
    user, make_broker = postgres_user(), {"redis": redis, "rabbitmq": rabbitmq}[broker]
    with folder(user) as one, folder() as other:
        servers = [postgres(one, user), make_broker(other)]
        with started(*servers):
            yield servers


@contextmanager
def new_stack(servers: Sequence[OwnServer], clock: FalseClock) -> Iterator[Stack]:
    """A stack that runs, on these servers and by this clock."""
    names = ("MEMO_DATABASE_URL", "MEMO_BROKER_URL")
    with new_home() as home:
        urls = {name: server.url for name, server in zip(names, servers, strict=False)}
        stack = Stack(home, urls | clock.settings)
        try:
            stack.ok("up")
            yield stack
        finally:
            stack.end()


def play_all(given: argparse.Namespace) -> list[str]:
    """Play the rounds, and write them down after each one; return what was not as promised."""
    chooser, found, broken = random.Random(given.seed), defaultdict[tuple[str, str], list[Round]](list), list[str]()
    with ExitStack() as ends:
        servers = ends.enter_context(new_servers(given.broker))
        clock = FalseClock(ends.enter_context(folder()))
        stack = ends.enter_context(new_stack(servers, clock))
        faults, stream = all_faults(stack, servers, clock, is_small_disk=not os.geteuid()), Stream(stack)
        order = [one for _ in range(1 + given.rounds // len(faults)) for one in chooser.sample(faults, len(faults))]
        for number, fault in enumerate(order[: given.rounds], 1):
            made = play(stack, stream, fault, chooser.uniform(0.5, 4.0))
            found[fault.name, fault.of].append(made)
            print(f"{number:>4} {fault.name} {fault.of}: {made}", "" if made.is_good else "NOT AS PROMISED", flush=True)
            broken += [] if made.is_good else [f"round {number}"]
            says = f"{number - len(broken)} of {number} rounds as promised, with {stream.written:,} events"
            write(given.broker, report(given, found, says))
        stack.ok("down")
        left = stack.leftovers()
        write(
            given.broker, report(given, found, f"{says}; left over after `memo down`: {', '.join(left) or 'nothing'}")
        )
        return broken + left


def as_line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def spread(values: Sequence[float]) -> str:
    """The median and the largest of some seconds."""
    return f"{median(values):.1f} / {max(values):.1f}"


def as_row(fault: tuple[str, str], rounds: Sequence[Round]) -> str:
    """The row of the rounds with one fault."""
    named = [one.named_s for one in rounds if one.named_s is not None]
    cells = [
        len(rounds),
        sum(one.lines for one in rounds),
        spread(named) if len(named) == len(rounds) else f"{len(rounds) - len(named)} times never",
        spread([one.predicted_s for one in rounds]),
        sum(one.lost for one in rounds),
        sum(one.doubled for one in rounds),
        sum(one.orphans for one in rounds),
        sum(one.is_good for one in rounds),
    ]
    return as_line([*fault, *cells])


def report(given: argparse.Namespace, found: dict[tuple[str, str], list[Round]], says: str) -> str:
    """The part of the document about one broker."""
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    rows = [as_row(fault, rounds) for fault, rounds in sorted(found.items())]
    number = sum(map(len, found.values()))
    return f"""## {TITLES[given.broker]}

`make faults ROUNDS={number} BROKER={given.broker}` (seed {given.seed}); {machine}, {datetime.now(UTC):%Y-%m-%d};
load average {os.getloadavg()[2]:.1f}.

{as_line(HEAD)}
{as_line(["---"] * len(HEAD))}
{chr(10).join(rows)}

{says}.
"""


def write(broker: str, new: str) -> None:
    """Put a part of the document in the place of the earlier one about the same broker."""
    parts = {part.split("\n")[0]: part for part in re.split(r"^(?=## )", DOCUMENT.read_text("utf-8"), flags=re.M)[1:]}
    parts[f"## {TITLES[broker]}"] = new
    ordered = [parts[name] for title in TITLES.values() if (name := f"## {title}") in parts]
    DOCUMENT.write_text("\n".join([HEADING, *(part.rstrip() + "\n" for part in ordered)]), encoding="utf-8")


HEADING = f"""# Faults

What MEMO does when processes are killed or stand still in the middle of a stream of events, when the broker's files are
damaged, the disk is full, the clock is set, or servers are restarted. Promised: no event is lost or doubled, `memo
status` names the fault within {NAMED_S:.0f} s, the newest window is predicted within {PREDICTED_S:.0f} s after the end
of the fault, and no process is left over.

A line is written every {PAUSE_S * 1000:.0f} ms until {AFTER_S:.0f} s after the fault has ended. A process that is
stopped stands still for {LASTS_S:.0f} s, with all its child processes; the disk is full, or the clock wrong, for the
same time. Times are median / maximum. The column "of" says what the fault was done to.

"""


def main() -> int:
    """Play the rounds; return 1 if one was not as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=13)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broker", choices=list(TITLES), default="embedded")
    given = parser.parse_args()
    return 1 if play_all(given) else 0


if __name__ == "__main__":
    sys.exit(main())
