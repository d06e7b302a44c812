from datetime import UTC, datetime

import pytest
from rankings import judged

from training.evaluation import metrics, reliability

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


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
