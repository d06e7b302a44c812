"""Beside the real ActivityWatch server, in one run: the same events taken in by each one's usual door, one day read."""

import sys
import tempfile
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from _stack import Report, invented, median, new_home, seconds, store, up, wait_for, write_lines
from sqlalchemy import select

from db import events
from db.engine import Store
from db.models import EventRow
from memo.events import Event
from memo.settings import Settings

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from activitywatch import Served, event, free_port, serving  # noqa: E402

EVENTS, POST = 100_000, 1_000
"""Events, and how many of them one request brings to ActivityWatch: the fastest way that it has."""
READS = 5
BUCKET = "bench"


def ours(given: list[Event], day: datetime) -> tuple[float, list[float], int]:
    """Seconds from a file in the inbox to its last row, and of reads of a day; how many events it had."""
    with new_home() as home, up(), store(home) as opened:
        file = home.root / "lines.txt"
        write_lines(file, given)

        def take_in() -> None:
            file.rename(home.inbox / file.name)
            wait_for(len(given), opened)

        taken = seconds(take_in)
        return taken, [seconds(partial(_day, opened, day)) for _ in range(READS)], len(_day(opened, day))


def _day(opened: Store, day: datetime) -> list[Event]:
    within = (EventRow.scope == Settings.load().scope, EventRow.at >= day, EventRow.at < day + timedelta(days=1))
    with opened.read() as session:
        return [events.as_event(row) for row in session.scalars(select(EventRow).where(*within))]


def theirs(given: list[Event], day: datetime) -> tuple[float, list[float], int]:
    """The same of the server: POST, and GET."""
    as_theirs = [event(one.at, 1, app=one.app, title=one.target) for one in given]
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), free_port()) as server:
        server.make(BUCKET, "currentwindow")

        def take_in() -> None:
            for start in range(0, len(as_theirs), POST):
                server.post(f"buckets/{BUCKET}/events", as_theirs[start : start + POST])

        taken = seconds(take_in)
        return taken, [seconds(partial(_their_day, server, day)) for _ in range(READS)], len(_their_day(server, day))


def _their_day(server: Served, day: datetime) -> list[Any]:
    end = day + timedelta(days=1)
    found: list[Any] = server.get(
        f"buckets/{BUCKET}/events?start={quote(day.isoformat())}&end={quote(end.isoformat())}"
    )
    return found


def main() -> None:
    """Print the table."""
    report = Report("Beside ActivityWatch")
    given = invented(EVENTS)
    day = given[EVENTS // 2].at.replace(hour=0, minute=0, second=0, microsecond=0)
    (our_taken, our_reads, our_count), (their_taken, their_reads, their_count) = ours(given, day), theirs(given, day)
    our_read, their_read = median(our_reads), median(their_reads)
    report.add(f"{EVENTS:,} lines in the inbox → rows", f"{our_taken:.1f} s", "≤ 20 s")
    report.add(f"the same {EVENTS:,} events by POST, {POST:,} at a time, into aw-server", f"{their_taken:.1f} s")
    report.add("taking in, times as fast as aw-server", f"{their_taken / our_taken:.2f}", "> 1")
    report.add(f"one day read from the store ({our_count:,} events)", f"{our_read * 1e3:.0f} ms")
    report.add(f"the same day by GET from aw-server ({their_count:,} events)", f"{their_read * 1e3:.0f} ms")
    report.add("reading a day, times as fast as aw-server", f"{their_read / our_read:.1f}", "> 1")
    report.show()


if __name__ == "__main__":
    main()
