import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from cli.predictions.predict_stream import Asked, answers
from memo.core.grammar import language_of
from memo.testing import ScriptedPredictor

LINES = [f"2026-03-02 09:00:0{second} - 启动应用: {name}" for second, name in enumerate("甲乙甲乙")]
MADE: list[ScriptedPredictor] = []


def make() -> ScriptedPredictor:
    MADE.append(ScriptedPredictor())
    return MADE[-1]


def run(*given: object) -> list[dict[str, Any]]:
    MADE.clear()
    asked = Asked(make, "v0001", UTC, "en", 2, 5)
    lines = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in given]
    return [json.loads(answer) for answer in answers(asked, lines)]


def taught(lines: Sequence[str]) -> list[dict[str, Any]]:
    return [{"event": line} for line in lines]


def test_a_window_gets_one_line_and_an_event_none() -> None:
    (answer,) = run(*taught(LINES), {"window": LINES[-3:]})
    assert answer["model"] == "v0001"
    assert [candidate["text"][22:] for candidate in answer["candidates"]] == ["启动应用: 乙", "启动应用: 甲"]
    assert answer["candidates"][0]["text"].startswith("2026-03-02 09:00:0"), "the clock is the window's"


def test_each_event_is_ranked_once_before_it_is_learned() -> None:
    run(*taught(LINES), {"window": LINES[-2:]}, *taught(["2026-03-02 09:00:09 - 启动应用: 丙"]))
    (predictor,) = MADE
    assert (predictor.learned, predictor.asked) == (5, 4)


def test_a_window_that_does_not_end_the_stream_is_answered_from_its_own_lines() -> None:
    (answer,) = run(*taught(LINES), {"window": ["2026-03-02 10:00:00 - Started app: Z"]})
    assert [candidate["text"] for candidate in answer["candidates"]] == ["2026-03-02 10:00:00 - Started app: Z"]
    assert [predictor.learned for predictor in MADE] == [4, 1]


def test_answers_come_in_the_language_of_the_window() -> None:
    for line, language in ((LINES[0], "zh"), ("2026-03-02 09:00:00 - Started app: A", "en")):
        (answer,) = run({"event": line}, {"window": [line]})
        assert language_of(answer["candidates"][0]["text"]) == language


def test_the_stream_goes_on_after_a_line_that_cannot_be_read() -> None:
    wrong: list[object] = [
        b"{",
        b"\xff\n",
        b"[" * 100_000,
        b"3",
        {"other": 1},
        {"event": "no event line"},
        {"event": 7},
        {"event": {"at": "yesterday", "operation": "process_start"}},
        {"event": {"at": "2026-03-02", "operation": "web_visit", "target": "two words"}},
        {"event": {"at": "2026-03-02", "operation": "time_context", "target": "x"}},
        {"event": {"at": "2026-03-02", "operation": "process_start"}},
        {"window": []},
        {"window": LINES[0]},
        {"window": [None]},
        {"window": ["no event line"]},
    ]
    *errors, answer = run(*wrong, {"event": LINES[0]}, {"window": LINES[:1]})
    assert len(errors) == len(wrong) and all(list(error) == ["error"] for error in errors)
    assert answer["candidates"]


def test_an_event_may_be_an_object() -> None:
    given = {
        "at": "2026-03-02T09:00:00+02:00",
        "operation": "web_visit",
        "target": "a.b",
        "detail": "T\u001b[31m\ud800",
    }
    (answer,) = run({"event": given}, {"window": [given]})
    assert answer["candidates"][0]["text"] == "2026-03-02 09:00:00 - Visited site a.b, page 'T [31m '"
