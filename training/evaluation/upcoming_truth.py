"""The truth about upcoming actions, the three baselines that rank them, and their average precision."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from memo.core.events import Event
from memo.core.predictions import HORIZON_S, QUIET_S, UPCOMING_OPERATIONS, Upcoming
from training.evaluation.metrics import Key, key, key_of

TIME_CONSTANT_S = 3_600  # in the baseline `decay`

Rows = dict[str, list[tuple[float, bool]]]
"""Name -> (score, whether it came within the horizon) of each quiet action."""


class UpcomingTruth:
    """Knows the future of a stream, and learns its past event by event for the baselines."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._future = [(event.at, key(event)) for event in events if event.operation in UPCOMING_OPERATIONS]
        self._last: dict[Key, float] = {}
        self._count: Counter[Key] = Counter()
        self._decayed: defaultdict[Key, float] = defaultdict(float)

    def learn(self, event: Event) -> None:
        """Learn the next event."""
        if event.operation in UPCOMING_OPERATIONS:
            happened, now = key(event), event.at.timestamp()
            age = max(0, now - self._last.get(happened, now))
            self._decayed[happened] = 1 + self._decayed[happened] * math.exp(-age / TIME_CONSTANT_S)
            self._last[happened] = now
            self._count[happened] += 1

    def rows(self, newest: Event, model: str, upcoming: Sequence[Upcoming]) -> Rows:
        """Return the score and the truth of each quiet action after `newest`, for the model and each baseline.

        Quiet actions were seen before, but not within the last `QUIET_S` seconds.
        """
        horizon = newest.at + timedelta(seconds=HORIZON_S)
        due = {happened for at, happened in self._future if newest.at < at <= horizon}
        now = newest.at.timestamp()
        quiet = [known for known, last in self._last.items() if now - last > QUIET_S]
        scores: dict[str, Mapping[Key, float]] = {
            model: {key_of(entry.action, entry.detail): entry.probability for entry in upcoming},
            "mfu": self._count,
            "mru": {known: last - now for known, last in self._last.items()},
            "decay": self._decayed_to(now),
        }
        return {name: [(score.get(known, 0.0), known in due) for known in quiet] for name, score in scores.items()}

    def _decayed_to(self, now: float) -> Mapping[Key, float]:
        ages = {known: max(0, now - last) for known, last in self._last.items()}
        return {known: self._decayed[known] * math.exp(-age / TIME_CONSTANT_S) for known, age in ages.items()}


def score(judged: Iterable[Rows]) -> dict[str, dict[str, float]]:
    """Return n and average precision by name, over the rows of all questions."""
    pooled: defaultdict[str, list[tuple[float, bool]]] = defaultdict(list)
    for rows in judged:
        for name, values in rows.items():
            pooled[name] += values
    return {name: {"n": len(values), "ap": average_precision(values)} for name, values in pooled.items()}


def average_precision(rows: Iterable[tuple[float, bool]]) -> float:
    """Return the mean of the precision at each action that came, best score first; 0 where none came."""
    hits, total = 0, 0.0
    for rank, (_, came) in enumerate(sorted(rows, key=lambda row: -row[0]), 1):
        if came:
            hits += 1
            total += hits / rank
    return total / hits if hits else 0.0
