"""Programs in bench/ that evaluate the predictor: its accuracy, the ablation, and the random split that leaks."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from training.evaluation import evaluate, questions
from training.evaluation.questions import Question
from training.evaluation.report import existing

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))
import ablation  # noqa: E402
import accuracy  # noqa: E402
import random_split  # noqa: E402

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def ask(names: str, size: int = 3) -> list[Question]:
    times = (START + timedelta(seconds=second) for second in range(len(names)))
    return questions.from_events(
        [Event(at, Operation.PROCESS_START, name) for at, name in zip(times, names, strict=True)], size, "en"
    )


def test_accuracy_describes_people_without_their_names(tmp_path: Path, home: Home) -> None:
    file = tmp_path / "titles-99.jsonl"
    times = (START + timedelta(minutes=minute) for minute in range(100))
    events = [{"at": f"{at}", "operation": "web_visit", "target": f"{n % 4}.example"} for n, at in enumerate(times)]
    file.write_text("\n".join(map(json.dumps, events)), encoding="utf-8")
    person = accuracy.judge(file)["switch"]
    text = accuracy.describe("switch", [person, person])
    assert "switch: 2 people, 78 questions" in text
    assert "| memo | 1.000 | 1.000 | 1.000 | 1.000 |" in text
    assert "| people behind the best of four, of these beyond noise | 0, 0 | 0, 0 | 0, 0 |  |" in text
    assert "99" not in text and "example" not in text


def test_leak_table_copies_a_line_of_another_window() -> None:
    train = ask("abcdefg")
    (unseen,) = ask("xyzw")
    assert random_split.LeakTable(train).answer(train[1].prompt) == train[1].reference
    assert random_split.LeakTable(train).answer(unseen.prompt) in {question.reference for question in train}


def test_random_split_is_deterministic_and_complete() -> None:
    asked = ask("abcdefghijklm")
    train, test = random_split.split_randomly(asked)
    assert (train, test) == random_split.split_randomly(asked)
    assert (len(train), len(test)) == (8, 2)
    assert {question.reference for question in train + test} == {question.reference for question in asked}


def test_random_split_lets_the_look_up_table_win() -> None:
    scores = random_split.score_leaking(ask("abcd" * 20, 5), existing(Settings(), "builtin", None), UTC)
    assert set(scores) == {"memo", "repeat", "mru", "mfu", "markov1", "ppm", "look-up"}
    assert scores["look-up"]["overall"] > 0.5


def test_ablation_scores_each_variant() -> None:
    answers = ablation.ask_variants(ask("abcd" * 20, 5), existing(Settings(), "builtin", None))
    assert set(answers) == {"memo", "history alone", "language model alone", "weights unlearned", "times left out"}
    hits = {name: evaluate.score(judged)["next"]["memo"]["hit@1"] for name, judged in answers.items()}
    exact = {name: evaluate.score(judged)["next"]["memo"]["exact"] for name, judged in answers.items()}
    for name, judged in answers.items():
        ahead = ablation.compare(answers["memo"], judged, "next")["hit@1"]
        assert ahead["difference"] == pytest.approx(hits["memo"] - hits[name])
        assert ahead["95"][0] <= ahead["difference"] <= ahead["95"][1]
    assert exact["times left out"] == 0 < exact["memo"]
    upcoming = {name: ablation.as_row(judged)[-1] for name, judged in answers.items()}
    assert upcoming["history alone"] == upcoming["memo"], "upcoming actions do not depend on the language model"
    assert "The language model earns" in ablation.describe("day", answers)
