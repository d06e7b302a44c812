"""The truth about upcoming actions, the baselines that rank them, and their average precision."""

import math
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence

from memo.core.events import Event, Operation
from memo.core.predictions import HORIZON_S, QUIET_S, UPCOMING_OPERATIONS, Upcoming, wanted
from training.evaluation.metrics import Key, key_of

TIME_CONSTANT_S = 3_600  # in the baseline `decay`

Rows = dict[str, list[tuple[float, bool]]]
"""Name -> (score, whether it came within the horizon) of each action that is not in use."""


class UpcomingTruth:
    """Knows the future of a stream, and learns its past event by event for the baselines."""

    def __init__(self, events: Sequence[Event], operations: Collection[Operation] = UPCOMING_OPERATIONS) -> None:
        self._operations = operations
        self._times = defaultdict[Key, list[float]](list)
        for event in sorted(events, key=lambda event: event.at):
            if event.action.operation in operations:
                self._times[_key(event)].append(event.at.timestamp())
        self._last: dict[Key, float] = {}
        self._count: Counter[Key] = Counter()
        self._decayed: defaultdict[Key, float] = defaultdict(float)
        self._front: Key | None = None
        self._after = After()

    def learn(self, event: Event) -> None:
        """Learn the next event."""
        if event.action.operation in self._operations:
            happened, now = _key(event), event.at.timestamp()
            self._after.learn(happened, now, self._last.get(happened, -math.inf))
            age = max(0, now - self._last.get(happened, now))
            self._decayed[happened] = 1 + self._decayed[happened] * math.exp(-age / TIME_CONSTANT_S)
            self._last[happened] = now
            self._count[happened] += 1
            if event.operation is Operation.WINDOW_FOCUS:
                self._front = happened

    def rows(self, newest: Event, model: str, upcoming: Sequence[Upcoming]) -> Rows:
        """Return the score and the truth of each action after `newest`, for the model and each baseline.

        The actions were seen before and are not in use; an app that came to the front is in use while it is there.
        """
        now = newest.at.timestamp()
        idle = [known for known in self._last if not self._is_in_use(known, now)]
        came = {known: self._comes(known, now) for known in idle}
        scores: dict[str, Mapping[Key, float]] = {
            model: {key_of(entry.action, entry.detail): entry.probability for entry in upcoming},
            "mfu": self._count,
            "mru": {known: last - now for known, last in self._last.items()},
            "decay": self._decayed_to(now),
            "after": self._after.shares(),
        }
        return {name: [(score.get(known, 0.0), came[known]) for known in idle] for name, score in scores.items()}

    def _is_in_use(self, known: Key, now: float) -> bool:
        if known.action.operation is Operation.WINDOW_FOCUS:
            return known == self._front
        return now - self._last[known] <= QUIET_S

    def _comes(self, known: Key, now: float) -> bool:
        times = self._times[known]
        following = bisect_right(times, now)
        return following < len(times) and times[following] <= now + HORIZON_S

    def _decayed_to(self, now: float) -> Mapping[Key, float]:
        ages = {known: max(0, now - last) for known, last in self._last.items()}
        return {known: self._decayed[known] * math.exp(-age / TIME_CONSTANT_S) for known, age in ages.items()}


class After:
    """The baseline `after`: how often each action came within the horizon after an arrival at the last one."""

    def __init__(self) -> None:
        self._arrivals = deque[tuple[float, Key]]()  # those within the horizon, and the last one
        self._number: Counter[Key] = Counter()
        self._came: defaultdict[Key, Counter[Key]] = defaultdict(Counter)

    def learn(self, happened: Key, now: float, last: float) -> None:
        """Count an action that came `now`, and before that at `last`."""
        for at, arrival in reversed(self._arrivals):
            if not max(last, now - HORIZON_S) < at <= now:
                break
            self._came[arrival][happened] += 1
        if not self._arrivals or self._arrivals[-1][1] != happened:
            self._arrivals.append((now, happened))
            self._number[happened] += 1
        while now - self._arrivals[0][0] > HORIZON_S and len(self._arrivals) > 1:
            self._arrivals.popleft()

    def shares(self) -> Mapping[Key, float]:
        """Return the shares after the last arrival."""
        if not self._arrivals:
            return {}
        arrival = self._arrivals[-1][1]
        return {happened: count / self._number[arrival] for happened, count in self._came[arrival].items()}


def _key(event: Event) -> Key:
    return key_of(wanted(event.action), event.detail)


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
