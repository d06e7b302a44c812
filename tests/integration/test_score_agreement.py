"""The scorer next to the real event files and MEMO's own evaluation give the same figures."""

import json
import shlex
import subprocess
import sys
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from memo.core.paths import Home
from memo.testing import ScriptedPredictor
from training.evaluation import baselines, evaluate, questions, upcoming_truth

LIMIT = 20


@pytest.fixture
def scorer(event_files: list[Path]) -> Path:
    found = event_files[0].parent / "score.py"
    if not found.is_file():
        pytest.skip("no scorer next to the event files")
    return found


def scored(scorer: Path, file: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, str(scorer), str(file), "--json", *options]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def test_baselines_agree_with_the_scorer_in_every_view(scorer: Path, event_files: list[Path]) -> None:
    for file in event_files:
        asked = questions.from_file(file, UTC, 5, "zh")
        cut = int(len(asked) * evaluate.TRAIN_SHARE)
        judged = evaluate.ask_in_order(ScriptedPredictor(), asked, cut, lambda _done, _total: None)
        theirs = scored(scorer, file)
        for view, names in evaluate.score(judged).items():
            for name in baselines.NAMES:
                assert names[name] == theirs[name if view == "next" else f"{name} {view}"]
        for name, found in upcoming_truth.score(entry.upcoming for entry in judged).items():
            if name != evaluate.MODEL:
                assert found["ap"] == theirs[f"up-{name}"]["upcoming_ap"]
                assert found["n"] == theirs[f"up-{name}"]["n"]


@pytest.mark.timeout(300)
def test_predict_stream_keeps_the_scorers_protocol(scorer: Path, event_files: list[Path], home: Home) -> None:
    memo = shlex.join([str(Path(sys.executable).with_name("memo")), "predict", "--stream", "--top", "50"])
    found = scored(scorer, event_files[0], "--limit", str(LIMIT), "--predict", memo)["memo"]
    assert (found["n"], found["malformed"]) == (LIMIT, 0)
    assert found["hit@1"] > 0
    assert not list(home.models.iterdir()) and not (home.root / "memo.db").exists(), "asking writes nothing"
