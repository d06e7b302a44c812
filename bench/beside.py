"""MEMO compared with the real ActivityWatch server in one run: storing the same events, reading one day, and resting.

    python bench/beside.py

tests/activitywatch.py installs the server if it is missing.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from _stack import Report, invented, median, memo, new_home, processes, seconds, store, up, wait_for, write_lines
from sqlalchemy import select

from db.engine import Store
from db.intake import events
from db.models import EventRow
from db.prediction import predictions
from memo.core.events import Event
from memo.core.settings import Settings

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from activitywatch import Served, event, serving  # noqa: E402
from ports import free_port  # noqa: E402

EVENTS = 100_000
POST = 1_000  # events per request to ActivityWatch, its fastest way
BEATS = 1_000  # heartbeats of one event each, as its watchers send them
READS = 5  # reads of one day
REST_S = 60.0  # at which CPU and memory are measured while nothing happens
SETTLE_S = 20.0  # before that
BUCKET = "bench"
BEATEN = "beaten"  # bucket of the heartbeats


@dataclass(frozen=True)
class Figures:
    """What one program takes for the events, for each read of a day, and while nothing happens."""

    taken_s: float
    reads_s: list[float]
    count: int  # events of the day
    cpu: float  # percent of one core
    memory_mb: float


def measure(
    take_in: Callable[[], None],
    read: Callable[[], list[Any]],
    pids: Callable[[], Collection[int]],
    settle: Callable[[], None] = lambda: None,
) -> Figures:
    """Return the figures of a program whose processes are `pids`, and which is at rest after `settle`."""
    taken = seconds(take_in)
    reads, count = [seconds(read) for _ in range(READS)], len(read())
    settle()
    time.sleep(SETTLE_S)
    before = _cpu_seconds(pids())
    time.sleep(REST_S)
    cpu = (_cpu_seconds(pids()) - before) / REST_S * 100
    memory = sum(psutil.Process(pid).memory_full_info().pss for pid in pids()) / 1e6
    return Figures(taken, reads, count, cpu, memory)


def _cpu_seconds(pids: Collection[int]) -> float:
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


def ours(given: list[Event], day: datetime) -> Figures:
    """Return the figures of the whole stack, from a file in the inbox to its last row."""
    with new_home() as home, up(), store(home) as opened:
        file = home.root / "lines.txt"
        write_lines(file, given)

        def take_in() -> None:
            file.rename(home.inbox / file.name)
            wait_for(len(given), opened)

        def settle() -> None:
            while _last_predicted(opened) < len(given):
                time.sleep(1)

        return measure(take_in, partial(_day, opened, day), processes, settle)


def imported(given: list[Event]) -> float:
    """Return the seconds of `memo import`, including its start."""
    with new_home() as home:
        file = home.root / "lines.txt"
        write_lines(file, given)
        return seconds(lambda: memo("import", str(file)))


def _last_predicted(opened: Store) -> int:
    with opened.read() as session:
        return predictions.find_last_predicted_seq(session, Settings.load().scope)


def _day(opened: Store, day: datetime) -> list[Event]:
    within = (EventRow.scope == Settings.load().scope, EventRow.at >= day, EventRow.at < day + timedelta(days=1))
    with opened.read() as session:
        return [events.as_event(row) for row in session.scalars(select(EventRow).where(*within))]


def theirs(given: list[Event], day: datetime) -> tuple[Figures, float]:
    """Return the figures of the server alone, by POST, and how many heartbeats it takes a second."""
    as_theirs = [event(one.at, 1, app=one.app, title=one.target) for one in given]
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), free_port()) as server:
        for bucket in (BUCKET, BEATEN):
            server.make(bucket, "currentwindow")

        def take_in() -> None:
            for start in range(0, len(as_theirs), POST):
                server.post(f"buckets/{BUCKET}/events", as_theirs[start : start + POST])

        def beat() -> None:
            for one in given[:BEATS]:
                server.beat(BEATEN, one.at, app=one.app, title=one.target)

        found = measure(take_in, partial(_their_day, server, day), lambda: [server.pid])
        return found, BEATS / seconds(beat)


def _their_day(server: Served, day: datetime) -> list[Any]:
    end = day + timedelta(days=1)
    found: list[Any] = server.get(
        f"buckets/{BUCKET}/events?start={quote(day.isoformat())}&end={quote(end.isoformat())}"
    )
    return found


def main() -> None:
    """Print the table."""
    report = Report("Compared with ActivityWatch")
    given = invented(EVENTS)
    day = given[EVENTS // 2].at.replace(hour=0, minute=0, second=0, microsecond=0)
    mine, by_command = ours(given, day), imported(given)
    server, beats = theirs(given, day)
    read, their_read = median(mine.reads_s), median(server.reads_s)
    report.add(f"{EVENTS:,} lines in the inbox → rows", f"{mine.taken_s:.1f} s", "≤ 20 s")
    report.add("`memo import` of the same lines", f"{by_command:.1f} s")
    report.add(f"aw-server: the same events by POST, {POST:,} per request", f"{server.taken_s:.1f} s")
    report.add(f"aw-server: {BEATS:,} heartbeats, as watchers send them", f"{beats:,.0f} per second")
    report.add("speed of the inbox relative to aw-server by POST", f"{server.taken_s / mine.taken_s:.2f}", "≥ 3")
    report.add("speed of `memo import` relative to aw-server by POST", f"{server.taken_s / by_command:.2f}", "≥ 3")
    report.add("speed of the inbox relative to heartbeats", f"{EVENTS / mine.taken_s / beats:.0f}")
    report.add(f"reading one day from the store ({mine.count:,} events)", f"{read * 1e3:.0f} ms")
    report.add(f"aw-server: the same day by GET ({server.count:,} events)", f"{their_read * 1e3:.0f} ms")
    report.add("speed of reading a day relative to aw-server", f"{their_read / read:.1f}", "> 1")
    report.add(f"at rest for {REST_S:.0f} s: the whole stack", f"{mine.cpu:.2f} % of a core, {mine.memory_mb:.0f} MB")
    report.add("at rest: aw-server alone", f"{server.cpu:.2f} % of a core, {server.memory_mb:.0f} MB")
    report.show()


if __name__ == "__main__":
    main()
