from datetime import UTC, datetime
from typing import Any

import pytest
from rich.cells import cell_len

from cli.predictions.watch import LiveScreen
from cli.predictions.watch_person import act_lines, first_hit, take_acts
from cli.predictions.watch_view import WIDE, Tally, status
from db.models import PredictionRow
from memo.core.events import Event, Operation
from memo.core.predictions import NextAction, NextPlace
from memo.messaging.message import JudgedPrediction, Outcomes, prediction_message

AT = datetime(2026, 3, 2, 9, 15, 4, tzinfo=UTC)
MAIL = Event(AT, Operation.WINDOW_FOCUS, "Inbox", app="Mail")
CODE = Event(AT, Operation.WINDOW_FOCUS, "main.py", app="Code")
SITE = Event(AT, Operation.WEB_VISIT, "memo.example")
GIT = Event(AT, Operation.PROCESS_START, "git")


def message(event: Event, *judged: tuple[Event, int | None]) -> dict[str, Any]:
    row = PredictionRow(
        id=9,
        scope="ada@host",
        made_at=AT,
        model_version="v1",
        candidates=[],
        upcoming=[],
        new_probability=0.0,
        places=[NextPlace(one.action.coarse, p).as_dict() for one, p in ((MAIL, 0.5), (CODE, 0.3), (SITE, 0.2))],
        new_place=0.0,
        person=[NextAction(one.action, 0.3).as_dict("en", AT) for one in (MAIL, CODE, SITE)],
        latency_ms=1.0,
    )
    settled = [JudgedPrediction(8, rank, rank, act) for act, rank in judged]
    return prediction_message(row, event, Outcomes(judged=settled), "en")


def plain(given: dict[str, Any], tally: Tally, width: int = WIDE) -> list[str]:
    acts = take_acts(given, tally)
    return [line.plain for line in act_lines(given, acts, width, "en")] if acts else []


def test_an_act_shows_other_places_and_their_things() -> None:
    [line] = plain(message(MAIL, (MAIL, 2)), Tally(), 200)
    happened, *places = line.split("0% ")
    assert happened.split() == ["09:15:04", "✓", "2", "Switched", "to", "window:", "Inbox", "(app:", "Mail)", "3"]
    assert [place.split()[:2] for place in places] == [["Code:", "main.py"], ["memo.example"]]


def test_an_act_is_shown_where_its_burst_ends_in_noise() -> None:
    [line] = plain(message(GIT, (CODE, None)), Tally(), 200)
    assert line.split()[:2] == ["09:15:04", "✗"]
    assert "main.py" in line and "git" not in line


def test_another_file_in_the_same_folder_is_shown() -> None:
    tally = Tally()
    for name in ("plan.txt", "notes.txt"):
        opened = Event(AT, Operation.FILE_ACCESS, name, detail="/home/ada")
        [line] = plain(message(opened, (opened, 1)), tally)
        assert name in line


def test_noise_and_new_titles_are_folded() -> None:
    tally = Tally()
    assert len(plain(message(MAIL), tally)) == 1
    assert plain(message(GIT), tally) == []
    assert plain(message(Event(AT, Operation.WINDOW_FOCUS, "Sent", app="Mail")), tally) == []
    assert len(plain(message(CODE), tally)) == 1


@pytest.mark.parametrize("width", [80, 119, WIDE, 200])
def test_lines_fill_the_width(width: int) -> None:
    given = message(Event(AT, Operation.WEB_VISIT, "标" * 300))
    lines = plain(given, Tally(), width)
    assert len(lines) == (1 if width >= WIDE else 2)
    assert all(width - 3 <= cell_len(line) <= width for line in lines)


def test_status_counts_places_foretold() -> None:
    tally = Tally()
    for rank in (1, 3, None, 1):
        take_acts(message(MAIL, (MAIL, rank)), tally)
    assert status(tally, 100).plain == "events 0  predictions 4  hit@1 50%  hit@3 75%  hit@5 75%  model v1"


def test_the_screen_counts_what_it_folds(capsys: pytest.CaptureFixture[str]) -> None:
    screen = LiveScreen("en")
    for event in (MAIL, GIT, GIT, CODE):
        screen.show(message(event))
    head, first, folded, second = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["time", "rank"]
    assert "Inbox" in first and "main.py" in second
    assert folded.split()[:4] == ["…", "2", "other", "events:"] and folded.split()[4:] == ["Started", "app:", "git"]


def test_what_is_folded_is_shown_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    screen = LiveScreen("en")
    with screen.status_line(lambda _scope: (1, 0)):
        screen.show(message(GIT))
    assert capsys.readouterr().out.splitlines()[0].split()[:4] == ["…", "1", "other", "event:"]


def test_the_last_line_counts_one_scope_alone(capsys: pytest.CaptureFixture[str]) -> None:
    screen, stored = LiveScreen("en"), {"sample@memo": 384, "ada@host": 2}
    with screen.status_line(lambda scope: (stored[scope], 0)):
        for scope, rank in (("sample@memo", None), ("sample@memo", None), ("ada@host", 1)):
            screen.show(message(MAIL, (MAIL, rank)) | {"scope": scope})
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "events 2  predictions 1  hit@1 100%  hit@3 100%  hit@5 100%  model v1"


def test_first_hit_names_the_place_and_its_rank() -> None:
    assert first_hit(message(GIT), "en") is first_hit(message(MAIL, (MAIL, None), (CODE, 4)), "en") is None
    found = first_hit(message(SITE, (CODE, 4), (MAIL, 2), (SITE, 1)), "en")
    assert found and found.plain == "First hit: Mail was foreseen, with rank 2."
    chinese = first_hit(message(SITE, (SITE, 3)), "zh")
    assert chinese and chinese.plain == "第一次命中：预见到了 memo.example，排在第 3 位。"


@pytest.mark.parametrize(("awaited", "times"), [("ada@host", 1), ("", 0), ("someone@else", 0)])
def test_live_view_tells_the_first_hit_of_its_person_once(
    awaited: str, times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = LiveScreen("en")
    screen.awaits_hit_of = awaited
    for rank in (None, 2, 1):
        screen.show(message(MAIL, (MAIL, rank)))
    assert capsys.readouterr().out.count("First hit: Mail was foreseen, with rank 2.") == times


def test_a_change_of_the_scope_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    screen = LiveScreen("en")
    screen.scope = "ada@host"
    for scope, event in (("ada@host", MAIL), ("replay@host", CODE), ("replay@host", SITE)):
        screen.show(message(event) | {"scope": scope})
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("MEMO:")]
    assert told == ["MEMO: scope: replay@host"]
