import json
from collections.abc import Sequence
from typing import Any

from cli.predictions.predict_stream import PredictStream, stream_answers
from memo.core.grammar import language_of
from memo.core.settings import Settings
from memo.testing import ScriptedPredictor

LINES = [f"2026-03-02 09:00:0{second} - 启动应用: {name}" for second, name in enumerate("甲乙甲乙")]
MADE: list[ScriptedPredictor] = []


def make() -> ScriptedPredictor:
    MADE.append(ScriptedPredictor())
    return MADE[-1]


def run(*given: object) -> list[dict[str, Any]]:
    MADE.clear()
    stream = PredictStream(make, "v0001", Settings(timezone="UTC"), 2)
    lines = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in given]
    return [json.loads(answer) for answer in stream_answers(stream, lines)]


def as_events(lines: Sequence[str]) -> list[dict[str, Any]]:
    return [{"event": line} for line in lines]


def test_stream_answers_a_window_but_not_an_event() -> None:
    (answer,) = run(*as_events(LINES), {"window": LINES[-3:]})
    assert answer["model"] == "v0001"
    assert [candidate["text"][22:] for candidate in answer["candidates"]] == ["启动应用: 乙", "启动应用: 甲"]
    assert answer["candidates"][0]["text"].startswith("2026-03-02 09:00:0"), "the clock is the window's"


def test_stream_predicts_each_event_once_before_learning() -> None:
    run(*as_events(LINES), {"window": LINES[-2:]}, *as_events(["2026-03-02 09:00:09 - 启动应用: 丙"]))
    (predictor,) = MADE
    assert (predictor.learned, predictor.asked) == (5, 4)


def test_stream_answers_a_foreign_window_from_its_own_lines() -> None:
    (answer,) = run(*as_events(LINES), {"window": ["2026-03-02 10:00:00 - Started app: Z"]})
    assert [candidate["text"] for candidate in answer["candidates"]] == ["2026-03-02 10:00:00 - Started app: Z"]
    assert [predictor.learned for predictor in MADE] == [4, 1]


def test_stream_answers_in_the_language_of_the_window() -> None:
    for line, language in ((LINES[0], "zh"), ("2026-03-02 09:00:00 - Started app: A", "en")):
        (answer,) = run({"event": line}, {"window": [line]})
        assert language_of(answer["candidates"][0]["text"]) == language


def test_stream_continues_after_an_unreadable_line() -> None:
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


def test_stream_takes_an_event_as_an_object() -> None:
    given = {
        "at": "2026-03-02T09:00:00+02:00",
        "operation": "web_visit",
        "target": "a.b",
        "detail": "T\u001b[31m\ud800",
    }
    (answer,) = run({"event": given}, {"window": [given]})
    assert answer["candidates"][0]["text"] == "2026-03-02 09:00:00 - Visited site a.b, page 'T [31m '"
