"""Arrival times: how long after the last action the next one comes."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from memo.core.events import ACTIONS, CONTEXT, Action, Event
from worker.predictors.history.candidate_ids import as_fields, from_fields, stable_key
from worker.predictors.history.tables import Counts, CountsByContext, State

MAX_GAP_S = 86_400  # longer gaps are not counted
MOST_GAPS = 512  # different gaps of a pair; of more, the half that came most often is kept


class ArrivalTimes:
    """The most frequent gap between the last action and a next one, backing off to ever coarser pairs of actions."""

    def __init__(self) -> None:
        self._gaps = CountsByContext()
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
                    self._count(pair, gap)
        self.last = (action, event.at)

    def _count(self, pair: int, gap: int) -> None:
        gaps = self._gaps.latest(pair)
        if gap in gaps:  # keeps its place: of equals, the first one is expected
            gaps[gap] += 1
        else:
            self._gaps.count(gaps, gap)
        if len(gaps) > MOST_GAPS:
            for rare in sorted(gaps, key=gaps.__getitem__)[: MOST_GAPS // 2]:
                del gaps[rare]

    def expected(self, action: Action) -> tuple[int, int]:
        """Return the most frequent gap from the last event to `action` and the interquartile range of all gaps.

        Both are in seconds.
        """
        if self.last is not None:
            for pair in _pairs(self.last[0], action.identity):
                if gaps := self._gaps.find(pair):
                    return max(gaps, key=gaps.__getitem__), _interquartile_range(gaps)
        return 0, 0

    def state(self) -> State:
        """Return the gaps of all pairs, the one met longest ago first, and the last action."""
        last = self.last and [as_fields(self.last[0]), self.last[1].isoformat()]
        return {"gaps": self._gaps.state(), "last": last}

    def restore(self, state: State) -> None:
        """Replace the gaps and the last action by those of a `state`."""
        self._gaps.restore(state["gaps"])
        last = state["last"]
        self.last = (from_fields(last[0]), datetime.fromisoformat(last[1])) if last else None


def _interquartile_range(counts: Counts) -> int:
    gaps = np.array(sorted(counts))
    ends = np.cumsum([counts[gap] for gap in gaps.tolist()])
    lower, upper = np.searchsorted(ends, [ends[-1] // 4, ends[-1] * 3 // 4], "right")
    return int(gaps[upper] - gaps[lower])


def _pairs(last: Action, following: Action) -> Sequence[int]:
    """Return the keys of both actions, of ever coarser pairs of them."""
    came, kind, next_kind = stable_key(following), ACTIONS.index(last.operation), ACTIONS.index(following.operation)
    return (
        hash((0, stable_key(last), came)),
        hash((1, stable_key(last.coarse), came)),
        hash((2, kind, came)),
        hash((3, kind, next_kind)),
    )
