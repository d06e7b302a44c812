"""MEMO compared with the real ActivityWatch server in one run: storing the same events, and reading one day.

    python bench/beside.py

tests/activitywatch.py installs the server if it is missing.
"""

import sys
import tempfile
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from _stack import Report, invented, median, memo, new_home, seconds, store, up, wait_for, write_lines
from sqlalchemy import select

from db.engine import Store
from db.intake import events
from db.models import EventRow
from memo.core.events import Event
from memo.core.settings import Settings

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from activitywatch import Served, event, free_port, serving  # noqa: E402

EVENTS = 100_000
POST = 1_000  # events per request to ActivityWatch, its fastest way
BEATS = 1_000  # heartbeats of one event each, as its watchers send them
READS = 5  # reads of one day
BUCKET = "bench"
BEATEN = "beaten"  # bucket of the heartbeats


def ours(given: list[Event], day: datetime) -> tuple[float, list[float], int]:
    """Return the seconds from a file in the inbox to its last row, those of each read of a day, and its event count."""
    with new_home() as home, up(), store(home) as opened:
        file = home.root / "lines.txt"
        write_lines(file, given)

        def take_in() -> None:
            file.rename(home.inbox / file.name)
            wait_for(len(given), opened)

        taken = seconds(take_in)
        return taken, [seconds(partial(_day, opened, day)) for _ in range(READS)], len(_day(opened, day))


def imported(given: list[Event]) -> float:
    """Return the seconds of `memo import`, including its start."""
    with new_home() as home:
        file = home.root / "lines.txt"
        write_lines(file, given)
        return seconds(lambda: memo("import", str(file)))


def _day(opened: Store, day: datetime) -> list[Event]:
    within = (EventRow.scope == Settings.load().scope, EventRow.at >= day, EventRow.at < day + timedelta(days=1))
    with opened.read() as session:
        return [events.as_event(row) for row in session.scalars(select(EventRow).where(*within))]


def theirs(given: list[Event], day: datetime) -> tuple[float, float, list[float], int]:
    """Return the same of the server: seconds of the POSTs, of the heartbeats, of each GET, and the event count."""
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

        taken, beaten = seconds(take_in), seconds(beat)
        reads = [seconds(partial(_their_day, server, day)) for _ in range(READS)]
        return taken, beaten, reads, len(_their_day(server, day))


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
    taken, reads, count = ours(given, day)
    by_command = imported(given)
    their_taken, their_beats, their_reads, their_count = theirs(given, day)
    read, their_read, beats_each = median(reads), median(their_reads), BEATS / their_beats
    report.add(f"{EVENTS:,} lines in the inbox → rows", f"{taken:.1f} s", "≤ 20 s")
    report.add("`memo import` of the same lines", f"{by_command:.1f} s")
    report.add(f"aw-server: the same events by POST, {POST:,} per request", f"{their_taken:.1f} s")
    report.add(f"aw-server: {BEATS:,} heartbeats, as watchers send them", f"{beats_each:,.0f} per second")
    report.add("speed of the inbox relative to aw-server by POST", f"{their_taken / taken:.2f}", "> 1")
    report.add("speed of `memo import` relative to aw-server by POST", f"{their_taken / by_command:.2f}", "> 1")
    report.add("speed of the inbox relative to heartbeats", f"{EVENTS / taken / beats_each:.0f}")
    report.add(f"reading one day from the store ({count:,} events)", f"{read * 1e3:.0f} ms")
    report.add(f"aw-server: the same day by GET ({their_count:,} events)", f"{their_read * 1e3:.0f} ms")
    report.add("speed of reading a day relative to aw-server", f"{their_read / read:.1f}", "> 1")
    report.show()


if __name__ == "__main__":
    main()
