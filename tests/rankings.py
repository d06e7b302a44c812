"""Assertions that hold for every ranking."""

from collections.abc import Sequence

from memo.core.events import CONTEXT, Event
from memo.core.predictions import Ranking, wanted
from worker.predictors.history.history_features import MAX_CANDIDATES
from worker.predictors.upcoming.hazard import MAX_UPCOMING


def check(ranking: Ranking, seen: Sequence[Event], top: int) -> None:
    """Check what holds for every answer after these events."""
    done = {event.action for event in seen if event.operation not in CONTEXT}
    known = {action.identity for action in done}
    actions = [candidate.action for candidate in ranking.candidates]
    probabilities = [candidate.probability for candidate in ranking.candidates]
    assert len(set(actions)) == len(actions) <= min(top, MAX_CANDIDATES)
    assert {action.identity for action in actions} <= known
    assert bool(actions) == bool(known)
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(0 <= p <= 1 for p in [*probabilities, ranking.new_probability])
    assert sum(probabilities) + ranking.new_probability <= 1 + 1e-9
    last = [event.at for event in seen if event.operation not in CONTEXT][-1:]
    assert all(candidate.expected_at >= last[0] for candidate in ranking.candidates)
    assert {entry.action for entry in ranking.upcoming} <= {wanted(action) for action in done}
    assert len(ranking.upcoming) <= MAX_UPCOMING
    assert all(0 <= entry.probability <= 1 for entry in ranking.upcoming)
