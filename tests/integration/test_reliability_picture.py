"""The picture of a reliability diagram, drawn by Matplotlib."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rankings import judged

from memo.core.errors import MemoError
from training.evaluation import reliability

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


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
