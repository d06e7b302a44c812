from datetime import UTC, datetime, timedelta

import pytest

from memo.core.events import Event, Operation
from memo.testing import ScriptedPredictor
from training.evaluation import evaluate, metrics, questions, reliability
from training.evaluation.evaluate import Judged

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def judged(names: str) -> list[Judged]:
    events = [Event(START + timedelta(seconds=n), Operation.PROCESS_START, name) for n, name in enumerate(names)]
    asked = questions.from_events(events, 3, "en")
    return evaluate.ask_in_order(ScriptedPredictor(), asked, 0, lambda _done, _total: None)


def test_measure_bins_all_answers_and_gives_the_error() -> None:
    answers = [(0.9, 1.0)] * 10 + [(0.1, 1.0)] * 10
    found = reliability.measure(answers)
    assert sum(size for _, _, size in found["bins"]) == found["n"] == 20
    assert found["ece"] == metrics.ece(answers) == pytest.approx(0.5)


def test_group_answers_by_level_and_operation() -> None:
    found = reliability.group_answers(judged("ab" * 20))
    assert list(found) == ["fine", "coarse", "process_start"]
    assert found["fine"] == found["coarse"] == found["process_start"]
    assert all(came == 0 for _, came in found["fine"]), "the double repeats, the stream alternates"
