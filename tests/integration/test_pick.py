"""The list of `memo pick`, from a real store."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from cli.pick.choices import LINES, make_offer
from cli.pick.pick import pick
from db import migrate
from db.engine import open_store
from db.intake import events
from db.models import FeedbackRow, PredictionRow
from memo.core.errors import MemoError
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.predictions import NextAction, NextPlace, Upcoming, action_as_dict
from memo.core.settings import Settings

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
START, FOCUS, VISIT, FILE = (
    Operation.PROCESS_START,
    Operation.WINDOW_FOCUS,
    Operation.WEB_VISIT,
    Operation.FILE_ACCESS,
)
MAIL = Action(FOCUS, "Inbox", "mail")
EDITOR = Action(FOCUS, "plan.txt", "editor")
TERMINAL = Action(FOCUS, "build", "terminal")
NEWS = Action(VISIT, "news.example")
REPORT = Action(FILE, "report.pdf", "/home/ada/work")
CHAT = Action(START, "chat")
Predict = Callable[..., None]


@pytest.fixture
def predict(home: Home) -> Predict:
    """Return a function that stores what was done and a prediction made after it."""
    migrate.upgrade(Settings(), home)

    def store(done: Sequence[Action], person: Sequence[Action] = (), upcoming: Sequence[Action] = ()) -> None:
        settings = Settings()
        opened = open_store(settings, home)
        happened = [_event(action, NOW + timedelta(minutes=n)) for n, action in enumerate(done)]
        likely = [(action, 0.4 / rank) for rank, action in enumerate(person, 1)]
        with opened.write() as session:
            repeats = events.Repeats()
            events.add_events(session, settings.scope, happened, [repeats.key(event) for event in happened])
            session.add(
                PredictionRow(
                    scope=settings.scope,
                    made_at=NOW + timedelta(hours=1),
                    last_event_id=len(done),
                    model_version="builtin",
                    candidates=[],
                    upcoming=[Upcoming(action, 0.3).as_dict("en", NOW) for action in upcoming],
                    places=[NextPlace(action.coarse, p).as_dict() for action, p in likely],
                    person=[NextAction(action, p).as_dict("en", NOW) for action, p in likely],
                    new_probability=0.0,
                    latency_ms=1.0,
                )
            )
        opened.close()

    return store


def _event(action: Action, at: datetime) -> Event:
    folder, app = (action.place, "") if action.operation is FILE else ("", action.place)
    return Event(at, action.operation, action.target, app, folder)


def offered(home: Home) -> list[Action]:
    """The actions in the list."""
    settings = Settings.load()
    store = open_store(settings, home)
    with store.read() as session:
        found = [choice.action for choice in make_offer(session, settings, home).choices]
    store.close()
    return found


ALL = [NEWS, REPORT, CHAT, TERMINAL, MAIL, EDITOR]


def test_the_previous_place_is_first_then_the_likeliest(predict: Predict, home: Home) -> None:
    predict(ALL, person=[EDITOR, TERMINAL, NEWS, MAIL], upcoming=[REPORT, CHAT])
    assert offered(home) == [MAIL, TERMINAL, NEWS, REPORT, CHAT], "without the editor, which is in front"


def test_the_likeliest_is_first_if_it_is_wished(predict: Predict, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_PICK__FIRST", "likeliest")
    predict(ALL, person=[TERMINAL, MAIL])
    assert offered(home) == [TERMINAL, MAIL]


def test_nothing_unseen_is_offered(predict: Predict, home: Home) -> None:
    never = [Action(VISIT, "evil.example"), Action(FOCUS, "Inbox", "game"), Action(FILE, "report.pdf", "/etc")]
    predict(ALL, person=[TERMINAL, *never], upcoming=[Action(START, "virus")])
    assert offered(home) == [MAIL, TERMINAL]


@pytest.mark.parametrize(
    ("variable", "value", "left_out"),
    [
        ("APPS", '["mail"]', MAIL),
        ("APPS", '["chat"]', CHAT),
        ("SITES", '["news.example"]', NEWS),
        ("FOLDERS", '["/home/ada/work"]', REPORT),
        ("TITLES", '["buil"]', TERMINAL),
    ],
)
def test_nothing_that_is_excluded_since_is_offered(
    predict: Predict, home: Home, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, left_out: Action
) -> None:
    predict(ALL, person=[TERMINAL, NEWS], upcoming=[REPORT, CHAT])
    everything = offered(home)
    monkeypatch.setenv(f"MEMO_PRIVACY__{variable}", value)
    assert set(everything) - set(offered(home)) == {left_out}


def test_what_was_refused_for_good_is_not_offered(predict: Predict, home: Home) -> None:
    predict(ALL, person=[TERMINAL, NEWS])
    store = open_store(settings := Settings(), home)
    with store.write() as session:
        named = action_as_dict(NEWS)
        session.add(
            FeedbackRow(scope=settings.scope, at=NOW, prediction_id=1, after=named, action=named, answer="never")
        )
    store.close()
    assert offered(home) == [MAIL, TERMINAL]


def test_an_app_has_one_line_and_its_window_is_named(predict: Predict, home: Home) -> None:
    chat = Action(FOCUS, "Team", "chat")
    predict([chat, *ALL], person=[TERMINAL], upcoming=[CHAT, chat.coarse])
    assert offered(home) == [MAIL, TERMINAL, chat.coarse]


def test_the_list_has_at_most_eight_lines(predict: Predict, home: Home) -> None:
    sites = [Action(VISIT, f"site{n}.example") for n in range(20)]
    predict([*sites, MAIL, EDITOR], person=sites)
    assert offered(home) == [MAIL, *sites[: LINES - 1]]


def test_print_shows_one_harmless_line_for_each(predict: Predict, capsys: pytest.CaptureFixture[str]) -> None:
    predict(ALL, person=[TERMINAL, NEWS], upcoming=[REPORT, CHAT])
    pick(prints=True)
    expected = ["mail: Inbox", "terminal: build", "news.example", "report.pdf (/home/ada/work)", "chat"]
    assert capsys.readouterr().out.splitlines() == expected


def test_json_names_line_action_and_probability(predict: Predict, capsys: pytest.CaptureFixture[str]) -> None:
    predict(ALL, person=[TERMINAL])
    pick(as_json=True)
    previous, likeliest = json.loads(capsys.readouterr().out)
    assert previous == {"line": 1, "text": "mail: Inbox", "action": action_as_dict(MAIL), "probability": None}
    assert (likeliest["line"], likeliest["probability"]) == (2, 0.4)


def test_without_a_prediction_it_says_what_to_do(home: Home) -> None:
    with pytest.raises(MemoError, match="start MEMO"):
        pick(prints=True)
    migrate.upgrade(Settings(), home)
    with pytest.raises(MemoError, match="predicted nothing yet"):
        pick(prints=True)
