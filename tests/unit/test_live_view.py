import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text
from stores import make_store

from cli.predictions.predict import show_answer
from cli.predictions.watch import LiveScreen, watch
from cli.predictions.watch_view import WIDE, Tally, lines, status
from cli.terminal.output import print_line
from db.engine import open_store
from db.intake import events
from db.models import PredictionRow
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.predictions import Candidate
from memo.core.settings import Settings
from memo.display.text import safe, short
from memo.messaging.message import Outcomes, SettledPrediction, prediction_message
from memo.stack import running

AT = datetime(2026, 3, 2, 9, 15, 4, tzinfo=UTC)
FIREFOX = Event(AT, Operation.PROCESS_START, "Firefox")
HOSTILE = "\x1b[2J\x9b31m[red]x[/red]\n\r\u202egnp.exe"


def message(event: Event = FIREFOX, targets: tuple[str, ...] = ("a.example",), **ranks: int | None) -> dict[str, Any]:
    row = PredictionRow(
        id=9,
        scope="ada@host",
        made_at=AT,
        model_version="v1",
        candidates=[Candidate(Action(Operation.WEB_VISIT, site), 0.625, AT).as_dict("en") for site in targets],
        upcoming=[],
        new_probability=0.0,
        places=[],
        new_place=1.0,
        person=[],
        latency_ms=1.0,
    )
    settled = [SettledPrediction(number, rank, event) for number, rank in enumerate(ranks.values(), 1)]
    return prediction_message(row, event, Outcomes(settled), "en")


def plain(given: dict[str, Any], width: int) -> list[str]:
    return [line.plain for line in lines(given, Tally().take(given), width, "en")]


def test_lines_wide_hold_event_and_candidates() -> None:
    [line] = plain(message(targets=("a.example", "b.example"), last=3), WIDE)
    happened, *candidates = line.split("62% ")
    assert happened.split() == ["09:15:04", "✓", "3", "Started", "app:", "Firefox"]
    assert [candidate.strip() for candidate in candidates] == ["visit a.example", "visit b.example"]


def test_lines_narrow_have_the_candidates_below() -> None:
    event, candidates = plain(message(last=None), 80)
    assert event.split() == ["09:15:04", "✗", "Started", "app:", "Firefox"]
    assert candidates.split() == ["62%", "visit", "a.example"]


@pytest.mark.parametrize("width", range(80, 201, 8))
@pytest.mark.parametrize("title", ["x" * 300, "微信文件传输助手" * 30, "🚀👩‍💻" * 60, HOSTILE * 20, ""])
def test_lines_fill_exactly_the_width(width: int, title: str) -> None:
    event = Event(AT, Operation.WINDOW_FOCUS, title, app=title)
    for line in plain(message(event, (title,) * 5), width):
        assert width - 3 <= cell_len(line) <= width
        assert safe(line) == line


@pytest.mark.parametrize("mark", ["\u061c", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069", "\x1b", "\x9b"])
def test_no_mark_that_reorders_or_commands_is_shown(mark: str) -> None:
    assert safe(f"a{mark}b") == "a b"


def test_lines_show_markup_in_a_title_as_it_is() -> None:
    console = Console(record=True, width=WIDE, file=io.StringIO())
    for line in lines(message(Event(AT, Operation.PROCESS_START, "[red]x[/red]")), Text(), WIDE, "en"):
        console.print(line)
    assert "Started app: [red]x[/red]" in console.export_text()


def test_tally_marks_hit_miss_and_new() -> None:
    tally = Tally(was_seen=lambda shown: shown["event"]["action"]["target"] == "Firefox")
    vim = Event(AT, Operation.PROCESS_START, "vim")
    given = [message(last=2), message(last=None), message(vim, last=None), message(vim, last=None), message()]
    assert [tally.take(shown).plain for shown in given] == ["✓ 2", "✗", "new", "✗", ""]


def test_tally_without_a_store_marks_nothing_new() -> None:
    assert Tally().take(message(last=None)).plain == "✗"


def test_watch_marks_new_what_the_store_does_not_know(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEMO_SCOPE", "ada@host")
    make_store(settings := Settings.load(), home)
    store = open_store(settings, home)
    with store.write() as session:
        events.add_events(session, "ada@host", [replace(FIREFOX, at=AT - timedelta(seconds=1))], ["key"])
    store.close()
    vim = Event(AT, Operation.PROCESS_START, "vim")
    given = [message(last=None), message(vim, last=None), message(vim, last=None)]
    monkeypatch.setattr("cli.predictions.watch.subscribe", lambda after: iter(given))
    with running.hold(home):
        watch(shows_all=True)
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]] == ["✗", "new", "✗"]


def test_mark_is_of_the_newest_prediction_of_this_event() -> None:
    assert Tally().take(message(older=None, newer=1)).plain == "✓ 1"
    other = message(last=1) | {"event": message(Event(AT, Operation.PROCESS_END, "vim"))["event"]}
    assert Tally().take(other).plain == "", "the prediction came true with an event before this one"


def test_status_counts_the_hits_of_this_run() -> None:
    tally = Tally(events=12)
    for rank in (1, 2, 4, None):
        tally.take(message(last=rank))
    text = status(tally, 100).plain
    assert text == "events 12  predictions 4  hit@1 25%  hit@3 50%  hit@5 75%  model v1"
    assert status(Tally(), 100).plain == "events 0  predictions 0", "no rate of nothing"
    tally.rejected = 2
    assert status(tally, 100).plain.startswith("events 12  rejected lines 2  predictions 4  ")
    assert cell_len(status(tally, 40).plain) < 40


def test_live_screen_in_chinese_is_all_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    screen = LiveScreen("zh", lambda shown: False, shows_all=True)
    with screen.status_line(lambda _scope: (1, 2)):
        screen.show(message(targets=(), last=None))
    head, line, last = capsys.readouterr().out.splitlines()
    assert head.split() == ["时间", "名次", "发生的动作", "接下来的动作，最可能的在前"]
    assert line.split()[1] == "新" and line.endswith("暂无预测")
    assert last == "事件 1  被拒绝的行 2  预测 1  hit@1 0%  hit@3 0%  hit@5 0%  模型 v1"


def test_show_answer_in_chinese_is_all_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    show_answer({"candidates": [], "new_probability": 0.5}, "zh", as_json=False)
    assert capsys.readouterr().out.split() == ["概率", "下一步", "时间", "0.500", "新的动作"]


def test_lines_without_candidates_say_so() -> None:
    assert "no prediction yet" in plain(message(targets=()), WIDE)[0]


def test_a_line_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    class Recorded(io.TextIOWrapper):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    written = list[str]()
    monkeypatch.setattr("sys.stdout", Recorded(io.BytesIO()))
    screen = LiveScreen("en", shows_all=True)
    with screen.status_line(lambda _scope: (1, 0)):
        screen.show(message())
        print_line("stopping…")
    assert len(written) == 4
    assert all(text.endswith("\n") and text.count("\n") == 1 for text in written), "another thread may write between"


def test_live_screen_without_a_terminal_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    screen = LiveScreen("en", shows_all=True)
    with screen.status_line(lambda _scope: (1, 0)):
        screen.show(message(Event(AT, Operation.PROCESS_START, HOSTILE), last=1))
    shown = capsys.readouterr().out
    assert shown.startswith("time") and shown.count("\n") == 3 and shown.endswith("model v1\n")
    assert all(safe(line) == line and line == line.rstrip() for line in shown.split("\n"))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Action(Operation.WINDOW_FOCUS, "main.py", "Code"), "focus Code: main.py"),
        (Action(Operation.WINDOW_FOCUS, "main.py"), "focus main.py"),
        (Action(Operation.FILE_ACCESS, "a.txt", "/home"), "use a.txt"),
        (Action(Operation.FILE_SAVE, "a.txt", "/home"), "save a.txt"),
    ],
)
def test_short_puts_the_app_before_the_title(action: Action, words: str) -> None:
    assert short(action, "en") == words
