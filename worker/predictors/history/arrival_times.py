"""When the next action comes."""

from collections import Counter
from collections.abc import Hashable, Sequence
from datetime import datetime

from memo.core.bounded import BoundedDict
from memo.core.events import CONTEXT, Action, Event
from worker.predictors.history.tables import MAX_CONTEXTS


class ArrivalTimes:
    """When the next action comes: the most frequent gap of the pair, backing off to ever coarser pairs."""

    MAX_GAP_S = 86_400

    def __init__(self) -> None:
        self._gaps: BoundedDict[Hashable, Counter[int]] = BoundedDict(MAX_CONTEXTS)
        self.last: tuple[Action, datetime] | None = None
        """The last action, and when it was by its own clock; not the latest time, which may be a wrong clock's."""

    def learn(self, event: Event) -> None:
        """Count the gap since the event before."""
        if event.operation in CONTEXT:
            return
        if self.last is not None:
            gap = round((event.at - self.last[1]).total_seconds())
            if 0 <= gap <= self.MAX_GAP_S:
                for pair in _pairs(self.last[0], event.action.identity):
                    counts = self._gaps.get(pair, Counter())
                    counts[gap] += 1
                    self._gaps[pair] = counts
        self.last = (event.action.identity, event.at)

    def expected(self, action: Action) -> tuple[int, int]:
        """Seconds from the last event to `action`: the most frequent, and the range of the middle half."""
        if self.last is not None:
            for pair in _pairs(self.last[0], action.identity):
                if counts := self._gaps.get(pair):
                    return counts.most_common(1)[0][0], _middle_half(counts)
        return 0, 0


def _middle_half(counts: Counter[int]) -> int:
    gaps = sorted(counts.elements())
    return gaps[len(gaps) * 3 // 4] - gaps[len(gaps) // 4]


def _pairs(last: Action, following: Action) -> Sequence[Hashable]:
    return (
        (last, following),
        (last.operation, last.coarse, following),
        (last.operation, following),
        (last.operation, following.operation),
    )
