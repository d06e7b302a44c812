import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memo.core.errors import MemoError
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


def test_draw_writes_a_png(tmp_path: Path) -> None:
    file = tmp_path / "reliability.png"
    reliability.draw(judged("aab" * 20), file)
    assert file.read_bytes().startswith(b"\x89PNG")


def test_draw_of_too_few_answers_or_without_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(MemoError, match="too few to draw"):
        reliability.draw(judged("aaaaaa"), tmp_path / "x.png")
    with pytest.raises(MemoError, match="can't be written"):
        reliability.draw(judged("a" * 40), tmp_path / "none" / "x.png")


def test_draw_without_matplotlib_names_its_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MemoError, match=f"`{sys.executable} -m pip install matplotlib`"):
        reliability.draw(judged("a" * 40), tmp_path / "x.png")
