"""Rankings of a predictor that always answers, and assertions that hold for every ranking."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from memo.core.events import CONTEXT, Event, Operation
from memo.core.predictions import Ranking, wanted
from memo.testing import ScriptedPredictor
from training.evaluation import evaluate, questions
from training.evaluation.evaluate import Judged
from worker.predictors.history.history_features import MAX_CANDIDATES
from worker.predictors.upcoming.hazard import MAX_UPCOMING

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def judged(names: str) -> list[Judged]:
    """The questions of a stream in which apps of these names start, as they were answered."""
    events = [Event(START + timedelta(seconds=n), Operation.PROCESS_START, name) for n, name in enumerate(names)]
    asked = questions.from_events(events, 3, "en")
    return evaluate.ask_in_order(ScriptedPredictor(), asked, 0, lambda _done, _total: None)


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
