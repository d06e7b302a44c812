import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memo.core.errors import MemoError, UsageError
from memo.core.events import Event, Operation
from memo.testing import ScriptedPredictor
from training.evaluation import evaluate, questions, results, upcoming_truth

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def stream(names: str) -> list[Event]:
    return [
        Event(START + timedelta(seconds=second), Operation.PROCESS_START, name) for second, name in enumerate(names)
    ]


def silent(_done: int, _total: int) -> None:
    return None


def windows(folder: Path, names: str) -> Path:
    rows = [
        {"instruction": "", "input": "head\n" + question.prompt, "output": question.reference}
        for question in questions.from_events(stream(names), 3, "en")
    ]
    file = folder / "windows.json"
    file.write_text(json.dumps(rows), encoding="utf-8")
    return file


def test_questions_of_windows_give_their_stream(tmp_path: Path) -> None:
    asked = questions.from_file(windows(tmp_path, "abcabcd"), UTC, 3, "en")
    assert questions.stream(asked) == stream("abcabcd")
    assert questions.stream(questions.from_events(stream("abcabcd"), 3, "en")) == stream("abcabcd")


def test_ask_in_order_asks_before_it_learns() -> None:
    asked = questions.from_events(stream("aaaaab"), 3, "en")
    judged = evaluate.ask_in_order(ScriptedPredictor(), asked, 0, silent)
    assert len(judged) == 3
    assert judged[-1].truth["next"].action.target == "b"
    assert [key.action.target for key in evaluate.answers(judged[-1].ranking)["next"]] == ["a"]


def test_score_of_a_repeating_predictor() -> None:
    asked = questions.from_events(stream("aaaaaaab"), 3, "en")
    found = evaluate.score(evaluate.ask_in_order(ScriptedPredictor(), asked, 0, silent))["next"]
    assert found["memo"]["hit@1"] == found["repeat"]["hit@1"] == 0.8
    assert found["memo"]["exact"] == 0, "the double expects everything at once"
    assert found["memo"]["overall"] == 0.4
    assert found["memo"]["malformed"] == 0


def test_questions_of_a_file_without_windows_raise(tmp_path: Path) -> None:
    file = tmp_path / "empty.json"
    file.write_text("[]")
    with pytest.raises(MemoError, match="no window"):
        questions.from_file(file, UTC, 5, "en")


def test_results_are_in_the_language_and_harmless(tmp_path: Path) -> None:
    assert results.status("zh", True, True) == "完全正确"
    assert results.status("zh", False, True) == "部分正确"
    assert results.status("en", False, False) == "wrong"
    file = tmp_path / results.NAME
    results.write_results([results.Result("=1+1", "@x", "r", "exact", "ppm", "-2", "wrong")], file)
    assert file.stat().st_mode & 0o777 == 0o600, "it holds titles"
    with file.open(encoding="utf-8", newline="") as read:
        header, row = csv.reader(read)
    assert tuple(header) == results.Result._fields
    assert row == ["'=1+1", "'@x", "r", "exact", "ppm", "'-2", "wrong"]


def test_destination_that_exists_raises(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("mine")
    with pytest.raises(UsageError, match="--force"):
        results.choose_destination(file, False)
    assert results.choose_destination(file, True) == file
    assert results.choose_destination(tmp_path, False) == tmp_path / results.NAME
    with pytest.raises(UsageError, match="folder"):
        results.choose_destination(tmp_path / "none" / "x.csv", False)
    with pytest.raises(UsageError, match=r"ends with \.csv"):
        results.choose_destination(tmp_path / "ev", False)


def test_upcoming_truth_is_quiet_and_comes_in_ten_minutes() -> None:
    seconds = {"a": 0, "b": 10, "c": 100, "a ": 400, "b ": 5000}
    events = [
        Event(START + timedelta(seconds=second), Operation.PROCESS_START, name.strip())
        for name, second in seconds.items()
    ]
    due = upcoming_truth.UpcomingTruth(events)
    for event in events[:3]:
        due.learn(event)
    (first, second) = due.rows(events[2], "memo", [])["mru"]
    assert (first[1], second[1]) == (True, False), "a comes in time, b too late; c is in use"
    assert first[0] < second[0]


def test_average_precision_depends_on_the_order() -> None:
    assert upcoming_truth.average_precision([(0.9, True), (0.5, False), (0.1, True)]) == pytest.approx((1 + 2 / 3) / 2)
    assert upcoming_truth.average_precision([(0.9, False)]) == 0
