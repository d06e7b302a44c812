"""How often a handler would act on upcoming app starts, and how often it would be right, by minimum probability.

    python bench/upcoming.py [FILE.json…]

The streams are those of invented people in their first working week, from the first event on, or recorded ones. As in
the dispatcher, an action has at most one attempt at a time. The floor of the gate `value` is the highest of these at
which the handler of three quarters of people has enough hits within a day: a handler that never acts proves nothing.
"""

import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from _stack import Report

from data.synthetic.people import Person, stream
from memo.core.events import Action, Event, Operation
from memo.core.predictions import HORIZON_S
from training.evaluation import questions
from worker.gates.gate_rules import KNOWN
from worker.predictors.upcoming.hazard import Hazard

FLOORS = (0.5, 0.6, 0.7, 0.8, 0.9)
PEOPLE = 24
DAYS = 5
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
LIFE = timedelta(seconds=HORIZON_S)


@dataclass
class Attempts:
    """The attempts of one person's handler above one floor."""

    hits: list[datetime] = field(default_factory=list)
    waste: int = 0
    until: dict[Action, datetime] = field(default_factory=dict)

    def act(self, action: Action, now: datetime, came: datetime | None) -> None:
        """Attempt the action, unless an earlier attempt is not over yet."""
        if now >= self.until.get(action, now):
            self.until[action] = came or now + LIFE
            self.hits += [came] if came else []
            self.waste += not came


def play(events: Sequence[Event]) -> list[Attempts]:
    """Return the attempts above each floor."""
    times = defaultdict[Action, list[datetime]](list)
    for event in events:
        times[event.action.identity].append(event.at)
    hazard, found = Hazard(), [Attempts() for _ in FLOORS]
    for event in events:
        hazard.learn(event)
        for upcoming in hazard.upcoming(event.at):
            if upcoming.probability < FLOORS[0]:
                break
            if upcoming.action.operation is Operation.PROCESS_START:
                came = next((at for at in times[upcoming.action] if event.at < at <= event.at + LIFE), None)
                for floor, attempts in zip(FLOORS, found, strict=True):
                    if upcoming.probability >= floor:
                        attempts.act(upcoming.action, event.at, came)
    return found


def row(given: Sequence[Attempts], days: Sequence[int], begun: Sequence[datetime]) -> str:
    """Return the attempts a day, the share that came true, and how many people had enough hits within a day."""
    a_day = sorted((len(one.hits) + one.waste) / many for one, many in zip(given, days, strict=True))
    hits, waste = sum(len(one.hits) for one in given), sum(one.waste for one in given)
    soon = (
        len(one.hits) >= KNOWN and one.hits[KNOWN - 1] - at < timedelta(days=1)
        for one, at in zip(given, begun, strict=True)
    )
    right = f"{hits / (hits + waste):.2f}" if hits + waste else "none"
    return f"{statistics.median(a_day):.1f} ({a_day[0]:.1f} to {a_day[-1]:.1f}) / {right} / {sum(soon)} of {len(given)}"


def main(files: Sequence[Path]) -> None:
    """Print the table."""
    report = Report(f"Upcoming app starts of {len(files) or PEOPLE} people")
    recorded = [[event for one in questions.from_file(file, UTC, 5, "zh") for event in one.new] for file in files]
    streams = recorded or [stream(Person(seed), DAYS, MONDAY) for seed in range(PEOPLE)]
    days = [len({event.at.date() for event in one}) for one in streams]
    begun = [one[0].at for one in streams]
    played = [play(one) for one in streams]
    for number, floor in enumerate(FLOORS):
        figures = f"attempts a day, median (least to most) / came true / {KNOWN} hits within a day"
        report.add(f"probability ≥ {floor}: {figures}", row([one[number] for one in played], days, begun))
    report.show()


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
