"""The picture of a reliability diagram, drawn by Matplotlib."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memo.core.errors import MemoError
from memo.core.events import Event, Operation
from memo.testing import ScriptedPredictor
from training.evaluation import evaluate, questions, reliability
from training.evaluation.evaluate import Judged

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def judged(names: str) -> list[Judged]:
    events = [Event(START + timedelta(seconds=n), Operation.PROCESS_START, name) for n, name in enumerate(names)]
    asked = questions.from_events(events, 3, "en")
    return evaluate.ask_in_order(ScriptedPredictor(), asked, 0, lambda _done, _total: None)


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "reliability.png"
    reliability.draw(judged("aab" * 20), file)
    assert file.read_bytes().startswith(b"\x89PNG")


def test_too_few_answers_or_no_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MemoError, match="too few to draw"):
        reliability.draw(judged("aaaaaa"), tmp_path / "x.png")
    with pytest.raises(MemoError, match="can't be written"):
        reliability.draw(judged("a" * 40), tmp_path / "none" / "x.png")


def test_without_the_library_its_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MemoError, match=f"`{sys.executable} -m pip install matplotlib`"):
        reliability.draw(judged("a" * 40), tmp_path / "x.png")
