"""The scorers next to the real event files and MEMO's own evaluation give the same figures."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from data import importers
from memo.core.paths import Home
from memo.core.predictions import OPENED
from memo.testing import ScriptedPredictor
from training.evaluation import baselines, evaluate, person_scores, person_views, questions, upcoming_truth
from worker.predictors.mixed import MixedPredictor

LIMIT = 20
MEMO = shlex.quote(str(Path(sys.executable).with_name("memo")))


@pytest.fixture
def scorer(event_files: list[Path]) -> Path:
    found = event_files[0].parent / "score.py"
    if not found.is_file():
        pytest.skip("no scorer next to the event files")
    return found


@pytest.fixture
def judge(event_files: list[Path]) -> Path:
    found = event_files[0].parent / "judge.py"
    if not found.is_file():
        pytest.skip("no judge next to the event files")
    return found


def scored(scorer: Path, file: Path, *options: str) -> Any:
    command = [sys.executable, str(scorer), str(file), "--json", *options]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_baselines_agree_with_the_scorer_in_each_view(scorer: Path, event_files: list[Path]) -> None:
    for file in event_files:
        asked = questions.from_file(file, UTC, 5, "zh")
        cut = int(len(asked) * evaluate.TRAIN_SHARE)
        judged = evaluate.ask_in_order(ScriptedPredictor(), asked, cut, lambda _done, _total: None)
        theirs = scored(scorer, file)
        for view, names in evaluate.score(judged).items():
            for name in baselines.NAMES:
                assert names[name] == theirs[name if view == "next" else f"{name} {view}"]
        for name, found in upcoming_truth.score(_opened(asked, cut)).items():
            if f"up-{name}" in theirs:
                assert found["ap"] == theirs[f"up-{name}"]["upcoming_ap"]
                assert found["n"] == theirs[f"up-{name}"]["n"]


def _opened(asked: list[questions.Question], cut: int) -> Iterator[upcoming_truth.Rows]:
    """The baselines' answers, without apps that come to the front: the scorer leaves them out."""
    truth = upcoming_truth.UpcomingTruth(questions.stream(asked), OPENED)
    for number, question in enumerate(asked):
        for event in question.new:
            truth.learn(event)
        if number >= cut:
            yield truth.rows(question.window[-1], "", [])
        truth.learn(question.output)


def test_predict_stream_keeps_the_scorers_protocol(scorer: Path, event_files: list[Path], home: Home) -> None:
    memo = f"{MEMO} predict --stream --top 50"
    found = scored(scorer, event_files[0], "--limit", str(LIMIT), "--predict", memo)["memo"]
    assert (found["n"], found["malformed"]) == (LIMIT, 0)
    assert found["hit@1"] > 0
    assert not list(home.models.iterdir()) and not (home.root / "memo.db").exists(), "asking writes nothing"


def test_person_views_agree_with_the_judge(judge: Path, home: Home) -> None:
    file = min((judge.parent / "streams").glob("*.jsonl"), key=lambda stream: stream.stat().st_size)
    outcomes = person_views.ask(MixedPredictor(), importers.events(file, UTC), 5, lambda _done, _total: None)
    ours = person_scores.summarize(outcomes)
    for theirs in scored(judge, file, "--predict", f"{MEMO} predict --stream --top 50"):
        found = ours[theirs["view"]]
        assert found["n"] == theirs["n"]
        for name, figures in {**theirs["bases"], "memo": theirs["memo"]}.items():
            for cut in (1, 3, 5):
                assert found["scores"][name][f"hit@{cut}"] == figures[f"@{cut}"]
        assert found["scores"]["memo"]["log_loss"] == pytest.approx(theirs["loss"], abs=1e-3), "its answers are rounded"
        assert found["scores"]["memo"]["ece"] == pytest.approx(theirs["ece"], abs=1e-3)
