"""A soak: the whole stack for hours, with an invented person's weeks at 200 times real speed.

python bench/soak.py [--hours 2] [--picture FILE]

Each "day", which takes seven minutes, ends with a pruning and a restart, and a training begins. The lines carry past
times, so that the last ones are of now, and the clock is as it is. Memory, open files, disk, the time from an event to
its prediction, and the queues are noted twice a minute; their slopes are those after the first quarter of the time.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import linear_regression

import psutil
from _stack import Report, memo, new_home, processes, store
from matplotlib.figure import Figure
from sqlalchemy import select
from sqlalchemy.orm import aliased

from data.synthetic.people import Person, stream
from db.engine import Store
from db.models import EventRow, PredictionRow
from db.upkeep import retention
from memo.core.events import Event
from memo.core.grammar import write
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack.broker import broker_url, key_prefix
from memo.stack.task_queue import lengths

SPEED = 200
WORKER = 32  # seed of the person
DAY = timedelta(days=1)
NOTED_S = 30.0  # between two notes
KEPT = timedelta(days=5)  # events; a pruning deletes older ones
PREDICTIONS_KEPT = timedelta(days=2)
SETTLED = 0.25  # of the time, after which slopes count


@dataclass(frozen=True)
class Note:
    """The state of the stack after some hours."""

    hours: float
    memory_mb: float
    handles: int
    disk_mb: float
    latency_ms: float  # the median of the latest predictions
    queued: int


PANELS = {
    "memory_mb": "memory (PSS), MB",
    "handles": "open files and sockets",
    "disk_mb": "disk, MB",
    "latency_ms": "event to prediction, ms",
    "queued": "messages in queues",
}


class Soak:
    """A stack under a stream, and the notes of it."""

    def __init__(self, home: Home, opened: Store, hours: float) -> None:
        self._home, self._store, self._settings = home, opened, Settings.load()
        self._seconds, self._began = hours * 3600, time.monotonic()
        self._begin = datetime.now(UTC) - timedelta(seconds=self._seconds) * SPEED
        self._noted, self._newest = 0.0, 0
        self.notes: list[Note] = []
        self.days = 0

    def run(self) -> None:
        """Let the days pass until the time is over."""
        for day in self._days():
            for event in day:
                self._wait_until(event.at)
                with (self._home.inbox / f"day-{self.days}.txt").open("a", encoding="utf-8") as file:
                    file.write(f"{write(event, 'en')}\n")
            self._wait_until(self._begin + (self.days + 1) * DAY)
            self._rest()

    def _days(self) -> Iterator[list[Event]]:
        who, count = Person(WORKER, "en"), int(self._seconds * SPEED / DAY.total_seconds())
        lived = stream(who, count, self._begin)
        for day in range(count):
            yield [event for event in lived if self._begin + day * DAY <= event.at < self._begin + (day + 1) * DAY]

    def _wait_until(self, at: datetime) -> None:
        """Wait until it is some time in the person's life, and note the state now and then."""
        while (left := (at - self._begin).total_seconds() / SPEED - (time.monotonic() - self._began)) > 0:
            if time.monotonic() - self._noted > NOTED_S:
                self._noted = time.monotonic()
                self.notes.append(self._note())
            time.sleep(min(left, 1.0))

    def _rest(self) -> None:
        """Prune, start again, and begin to train, which goes on during the next day."""
        self.days += 1
        now = self._begin + self.days * DAY
        retention.prune(self._store, datetime.now(UTC) - PREDICTIONS_KEPT / SPEED, now - KEPT, 0)
        memo("down")
        memo("up")
        memo("train", "--now")
        print(f"day {self.days}", file=sys.stderr, flush=True)

    def _note(self) -> Note:
        parts = [psutil.Process(pid) for pid in processes()]
        files = [path.stat().st_size for path in self._home.root.rglob("*") if path.is_file()]
        queues = lengths(broker_url(self._home, self._settings), key_prefix(self._settings))
        return Note(
            (time.monotonic() - self._began) / 3600,
            sum(part.memory_full_info().pss for part in parts) / 1e6,
            sum(part.num_fds() for part in parts),
            sum(files) / 1e6,
            self._latency_ms(),
            sum(queues.values()),
        )

    def _latency_ms(self) -> float:
        """Return the median time from storing an event to its prediction, of those since the last note.

        Later predictions of the same event are left out: after a change of the version, and where the pruning had
        deleted the first one.
        """
        row, earlier = PredictionRow, aliased(PredictionRow)
        query = select(row.id, row.made_at, EventRow.stored_at).join(EventRow, row.last_event_id == EventRow.id)
        with self._store.read() as session:
            first = ~select(1).where(earlier.last_event_id == row.last_event_id, earlier.id < row.id).exists()
            recent = EventRow.stored_at > datetime.now(UTC) - PREDICTIONS_KEPT / SPEED
            found = session.execute(query.where(row.id > self._newest, first, recent).order_by(row.id)).all()
        self._newest = found[-1][0] if found else self._newest
        delays = sorted((made_at - stored_at).total_seconds() * 1e3 for _, made_at, stored_at in found)
        return delays[len(delays) // 2] if delays else float("nan")


def slope(notes: Sequence[Note], name: str) -> tuple[float, float]:
    """Return what a figure grows by in an hour, once the stack has settled, and its mean."""
    settled = [note for note in notes if note.hours > SETTLED * notes[-1].hours]
    values = [(note.hours, value) for note in settled if (value := getattr(note, name)) == value]
    hours, found = zip(*values, strict=True)
    return linear_regression(hours, found).slope, sum(found) / len(found)


def draw(notes: Sequence[Note], file: Path) -> None:
    """Draw each figure over time."""
    figure = Figure(figsize=(10, 9), layout="constrained")
    for axes, (name, words) in zip(figure.subplots(len(PANELS), sharex=True), PANELS.items(), strict=True):
        axes.plot([note.hours for note in notes], [getattr(note, name) for note in notes], linewidth=1)
        axes.set(ylabel=words, ylim=(0, None))
    axes.set(xlabel="hours")
    figure.savefig(file, dpi=110)


def main() -> None:
    """Print the table, and draw the picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--picture", type=Path, default=Path("soak.png"))
    given = parser.parse_args()
    report = Report(f"A soak of {given.hours:g} hours")
    with new_home() as home, store(home) as opened:
        memo("up")
        try:
            soak = Soak(home, opened, given.hours)
            soak.run()
        finally:
            memo("down")
    draw(soak.notes, given.picture)
    report.add("days lived, each with a training, a pruning and a restart", str(soak.days))
    for name, words in PANELS.items():
        growth, mean = slope(soak.notes, name)
        report.add(words, f"{mean:.1f} in the mean, {growth:+.2f} in an hour")
    report.show()


if __name__ == "__main__":
    main()
