"""One box for a person, whichever handlers show one: real handlers, their processes, and a bus with notifications."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from calling import memo
from dispatching import SCOPE, action, dispatch, dispatching, happen, opened_store, predict, rows, under, went
from handling import program
from notified import Server, serving
from session_bus import Bus
from sqlalchemy import func, select
from stores import store_events
from test_launching import folder as folder

from db.dispatch import dispatches, ledger
from db.models import DispatchRow, FeedbackRow
from db.prediction import feedback
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.settings import DispatchSettings, LaunchSettings, Settings
from worker.dispatch.handler_list import list_handlers
from worker.effects.notifications import MENUS, NO_BUTTONS, NO_MENU, click_problem
from worker.handlers import showing_boxes
from worker.handlers.ask import AskHandler
from worker.handlers.notify import NotifyHandler
from worker.resources import Resources

SITE, OTHER = "a.example", "b.example"
BOTH = ("notify", "ask")  # in the wrong order: their ranks decide


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    bus = Bus()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
    made = Server(bus.address)
    with serving(made):
        yield made
    bus.end()


@pytest.fixture
def opened(home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Resources]:
    """Two sites that were visited an hour ago, and a program that opens sites."""
    program(folder, "xdg-open")
    monkeypatch.setenv("MEMO_SCOPE", SCOPE)
    at = datetime.now(UTC) - timedelta(hours=1)
    visits = [Event(at, Operation.WEB_VISIT, site) for site in (SITE, OTHER)]
    with opened_store(home.database_url, home) as context:
        with context.store.write() as session:
            store_events(session, SCOPE, visits)
        happen(context, "notes", operation=Operation.WINDOW_FOCUS)  # so the sites are not in use
        yield context


def answers(opened: Resources) -> list[tuple[int, str, str]]:
    """Prediction, site and answer of each feedback."""
    with opened.store.read() as session:
        found = session.scalars(select(FeedbackRow).order_by(FeedbackRow.id))
        return [(row.prediction_id, row.action["target"], row.answer) for row in found]


def test_ask_alone_shows_a_box_when_notify_is_on_too(opened: Resources, server: Server) -> None:
    server.presses = "no"
    dispatch(under(opened, *BOTH), predict(opened, SITE))
    assert [body[3] for body in server.shown] == ["MEMO: open it now?"]
    assert sorted(went(opened)) == [("ask", "done"), ("notify", "stopped")]
    assert [row.detail for row in rows(opened) if row.handler == "notify"] == ["one box: ask showed a box instead"]


def test_a_box_held_back_spends_no_attempt_and_is_no_hit(opened: Resources, server: Server) -> None:
    server.presses = "close"
    with dispatching(under(opened, *BOTH)) as dispatcher:
        dispatcher.dispatch(predict(opened, SITE))
        dispatcher.join()
        happen(opened, SITE)
        dispatcher.settle()
    with opened.store.read() as session:
        spent = {name: dispatches.count_last_hour(session, SCOPE, name) for name in BOTH}
        totals = ledger.find_totals(session, SCOPE)
    assert spent == {"ask": (1, 0), "notify": (0, 0)}
    assert {name: totals[name]["hits"] for name in BOTH} == {"ask": 1, "notify": 0}


def test_a_later_prediction_of_the_same_shows_no_second_box(opened: Resources, server: Server) -> None:
    server.presses = "no"
    both = under(opened, *BOTH, cooldown_s=0)
    dispatch(both, predict(opened, SITE))
    again, another = predict(opened, SITE), predict(opened, OTHER)
    dispatch(both, again)
    [notify] = [row for row in rows(opened, again) if row.handler == "notify"]
    assert notify.status == "stopped" and notify.detail.startswith("one box: ask showed a box about it ")
    dispatch(both, another)
    assert [body[4] for body in server.shown] == [SITE, f"visit {OTHER}"]


def test_a_box_is_not_followed_by_what_waited_for_it(opened: Resources, server: Server) -> None:
    server.presses = "close"
    first, second = predict(opened, SITE), predict(opened, OTHER)
    with dispatching(under(opened, *BOTH)) as dispatcher:
        for prediction in (first, second):
            dispatcher.dispatch(prediction)  # the second one while the process of ask starts
        dispatcher.join()
    assert len(server.shown) == 1
    [notify] = [row for row in rows(opened, second) if row.handler == "notify"]
    assert notify.detail == "one box: ask showed a box instead"


@pytest.mark.parametrize("on", [["notify"], ["notify", "ask"]])
def test_notify_shows_what_ask_does_not(opened: Resources, server: Server, on: list[str]) -> None:
    server.able = ["body"]
    dispatch(under(opened, *BOTH, on=on), predict(opened, SITE))
    assert [body[3] for body in server.shown] == ["MEMO: probably next"]
    assert sorted(went(opened)) == [("ask", "failed" if "ask" in on else "dry"), ("notify", "done")]


def test_feedback_last_is_what_the_button_would_be(opened: Resources, server: Server) -> None:
    server.able = ["body"]
    shown = predict(opened, SITE)
    dispatch(under(opened, *BOTH), shown)
    predict(opened, OTHER)  # newer, but nobody saw it
    said = memo("feedback", "last", "never")
    assert said.exit_code == 0
    assert " ".join(said.output.split()) == (
        f"Noted: never to visit {SITE}, which notify showed for prediction {shown}."
    )
    assert answers(opened) == [(shown, SITE, "never")]
    with opened.store.read() as session:
        assert feedback.find_refusal(session, SCOPE, Action(Operation.WEB_VISIT, SITE))
    memo("feedback", "last", "yes")
    assert answers(opened)[1:] == [(shown, SITE, "yes")]
    with opened.store.read() as session:
        assert feedback.find_refusal(session, SCOPE, Action(Operation.WEB_VISIT, SITE)) is None


def test_a_button_and_feedback_last_store_the_same(opened: Resources, server: Server) -> None:
    server.presses = "never"
    dispatch(under(opened, *BOTH), predict(opened, SITE))
    memo("feedback", "last", "never")
    button, command = answers(opened)
    assert button == command


def claim(opened: Resources, **values: Any) -> None:
    """Store an attempt of ask at a new prediction; without other values its box is open now."""
    at = {"scope": SCOPE, "at": datetime.now(UTC), "status": "claimed", "handler": "ask", "probability": 0.9}
    with opened.store.write() as session:
        prediction = session.scalar(select(func.max(DispatchRow.prediction_id)))
        session.add(DispatchRow(**{"prediction_id": prediction, "action": action(OTHER)} | at | values))


def test_feedback_last_answers_a_box_that_is_open(opened: Resources, server: Server) -> None:
    dispatch(under(opened, "log"), predict(opened, SITE))
    claim(opened)
    assert "visit b.example" in memo("feedback", "last", "no").output


@pytest.mark.parametrize(
    "unseen",
    [
        {"status": "stopped"},
        {"status": "failed"},
        {"status": "dry"},
        {"scope": "bob@host"},
        {"handler": "launch_app", "status": "done"},
        {"at": datetime.now(UTC) - timedelta(hours=1)},
    ],
    ids=["stopped", "failed", "dry", "of another", "no box", "died"],
)
def test_feedback_last_without_a_box_says_what_to_do(opened: Resources, unseen: dict[str, Any]) -> None:
    dispatch(under(opened, "log"), predict(opened, SITE))
    claim(opened, **unseen)
    said = memo("feedback", "last", "yes")
    assert said.exit_code != 0 and "No notification was shown to you yet" in str(said.exception)
    assert answers(opened) == []


def test_feedback_of_a_word_or_of_a_ranked_box_is_refused(opened: Resources) -> None:
    assert "There is no prediction x" in str(memo("feedback", "x", "yes").exception)
    assert "leave out --rank" in str(memo("feedback", "last", "yes", "--rank", "2").exception)


def test_handlers_that_show_a_box_are_known_by_their_rank() -> None:
    assert showing_boxes(["ask", "log", "launch_app", "notify", "nobody"]) == ["ask", "notify"]


def test_what_launch_app_starts_is_in_no_box(home: Home) -> None:
    start = Operation.PROCESS_START
    for on, in_a_box in ((["launch_app"], False), (["log"], True)):
        routes = {start: ["launch_app"]}
        settings = Settings(
            scope=SCOPE,
            launch=LaunchSettings(apps=["notes"]),
            dispatch=DispatchSettings(on=on, upcoming=routes),
        )
        for handler in (AskHandler(settings, home), NotifyHandler(settings, home)):
            assert handler.accepts(Action(start, "notes")) is in_a_box
            assert handler.accepts(Action(start, "other"))
            assert handler.accepts(Action(Operation.FILE_ACCESS, "notes", "/tmp"))


TOML = f'scope = "{SCOPE}"\n[dispatch]\non = ["ask", "log"]\nroutes = {{ web_visit = ["ask", "notify", "log"] }}\n'


def says(home: Home) -> dict[str, str]:
    return {one["name"]: one["says"] for one in list_handlers(home, Settings.load())}


def test_handlers_say_that_nothing_can_be_clicked(
    server: Server, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.config.write_text(TOML)
    assert says(home)["ask"] == ""
    server.able = ["body"]
    answer = "answer with `memo feedback last yes|no|never`"
    sentence = f"{NO_BUTTONS}; ask shows nothing then, so let notify do so, and {answer}"
    assert says(home)["ask"] == sentence and says(home)["log"] == ""
    assert says(home)["notify"] == "add it to dispatch.on in memo.toml"
    shown = {one["name"]: one["says"] for one in json.loads(memo("handlers", "--json").output)}
    assert shown["ask"] == sentence
    [line] = [line for line in memo("handlers").output.splitlines() if line.startswith("ask ")]
    assert line.endswith(sentence)
    server.able, server.name = ["actions"], "dunst"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert says(home)["ask"] == f"{NO_MENU}; {answer}"


def test_dunst_needs_a_menu_to_show_buttons(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.name = "dunst"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert click_problem() == NO_MENU
    menu = tmp_path / MENUS[-1]
    menu.touch(0o755)
    assert click_problem() == ""


@pytest.mark.parametrize("presses", ["error", "silent"])
def test_a_server_that_says_nothing_is_no_error(server: Server, presses: str) -> None:
    server.presses = presses
    assert click_problem(ask_s=0.3) == ""


def test_without_a_bus_handlers_are_listed(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.config.write_text(TOML)
    for address in (f"unix:path={tmp_path}/none", "nonsense"):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        assert says(home)["ask"] == ""
