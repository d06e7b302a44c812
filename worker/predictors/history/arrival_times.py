"""Arrival times: how long after the last action the next one comes."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from memo.core.bounded import BoundedDict
from memo.core.events import CONTEXT, Action, Event
from worker.predictors.history.candidate_ids import KINDS, as_fields, from_fields, stable_key
from worker.predictors.history.tables import MAX_CONTEXTS, State, pack_counts, unpack_counts

MAX_GAP_S = 86_400  # longer gaps are not counted


class ArrivalTimes:
    """The most frequent gap before an action after the last one, backing off to ever coarser pairs of actions."""

    def __init__(self) -> None:
        self._gaps: BoundedDict[int, Counter[int]] = BoundedDict(MAX_CONTEXTS)
        # The last action and its time by its own clock, which may be wrong: not the latest time.
        self.last: tuple[Action, datetime] | None = None

    def learn(self, event: Event) -> None:
        """Count the gap since the event before."""
        if event.operation in CONTEXT:
            return
        action = event.action.identity
        if self.last is not None:
            gap = round((event.at - self.last[1]).total_seconds())
            if 0 <= gap <= MAX_GAP_S:
                for pair in _pairs(self.last[0], action):
                    self._gaps.latest(pair, Counter)[gap] += 1
        self.last = (action, event.at)

    def expected(self, action: Action) -> tuple[int, int]:
        """Return the most frequent gap from the last event to `action` and its interquartile range, in seconds."""
        if self.last is not None:
            for pair in _pairs(self.last[0], action.identity):
                if counts := self._gaps.get(pair):
                    return counts.most_common(1)[0][0], _interquartile_range(counts)
        return 0, 0

    def state(self) -> State:
        """Return the gaps of all pairs, the one met longest ago first, and the last action."""
        last = self.last and [as_fields(self.last[0]), self.last[1].isoformat()]
        return {
            "pairs": np.array(list(self._gaps), np.int64),
            "last": last,
            **pack_counts(self._gaps.values(), np.int64),
        }

    def restore(self, state: State) -> None:
        """Replace the gaps and the last action by those of a `state`."""
        gaps = zip(state["pairs"].tolist(), map(Counter[int], unpack_counts(state)), strict=True)
        self._gaps = BoundedDict(MAX_CONTEXTS, dict(gaps))
        last = state["last"]
        self.last = (from_fields(last[0]), datetime.fromisoformat(last[1])) if last else None


def _interquartile_range(counts: Counter[int]) -> int:
    gaps = sorted(counts.elements())
    return gaps[len(gaps) * 3 // 4] - gaps[len(gaps) // 4]


def _pairs(last: Action, following: Action) -> Sequence[int]:
    """Return the keys of both actions, of ever coarser pairs of them."""
    came, kind, next_kind = stable_key(following), KINDS.index(last.operation), KINDS.index(following.operation)
    return (
        hash((0, stable_key(last), came)),
        hash((1, stable_key(last.coarse), came)),
        hash((2, kind, came)),
        hash((3, kind, next_kind)),
    )
