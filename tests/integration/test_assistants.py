"""`memo mcp` over a store, asked by the package's own client: in this process, and once as an assistant starts it."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from calling import printed
from mcp import Client, StdioServerParameters
from mcp.server.mcpserver import MCPServer
from mcp.types import TextContent
from stores import make_store, store_events
from waiting import WAIT_S

from cli.assistants.answers import MOST_ACTS
from cli.assistants.mcp import make_server
from db.engine import Store, open_store
from db.intake import events
from db.models import DispatchRow, EventRow, PredictionRow
from memo.config.live import LiveSettings
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.predictions import Candidate, NextAction, NextPlace, Upcoming, action_as_dict
from memo.core.settings import Settings

MEMO = Path(sys.executable).parent / "memo"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
EDITOR = Action(Operation.WINDOW_FOCUS, "Merger with Initech", "editor")
SAME_EDITOR = Action(Operation.WINDOW_FOCUS, "Layoffs", "editor")
BARE = Action(Operation.WINDOW_FOCUS, "Divorce papers")  # a window without an app: its name is a title
SITE = Action(Operation.WEB_VISIT, "news.example")
FILE = Action(Operation.FILE_ACCESS, "salary.ods", "/home/ada/private")
DONE = (EDITOR, SITE, FILE, BARE, SAME_EDITOR)
TITLES = ("Merger", "Layoffs", "Divorce")
TOOLS: dict[str, dict[str, Any]] = {
    "what_next": {},
    "history": {},
    "day": {"day": "2026-03-02"},
    "why": {"prediction": 4},
}


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    """A store in which each of these actions happened, and all were predicted after each."""
    settings = Settings.load()
    make_store(settings, home)
    opened = open_store(settings, home)
    add(opened, settings.scope, DONE)
    yield opened
    opened.close()


def add(store: Store, scope: str, actions: Sequence[Action]) -> None:
    with store.write() as session:
        first = events.find_last_seq(session, scope) + 1
        batch = [_event(action, first + number) for number, action in enumerate(actions)]
        rows = [session.get_one(EventRow, number) for number in store_events(session, scope, batch)]
        made = [_prediction(row, after) for row, after in zip(rows, [*rows[1:], None], strict=True)]
        session.add_all(made)
        session.flush()
        session.add_all(_attempt(made[-2], number) for number in range(len(DONE)))


def _event(action: Action, number: int) -> Event:
    place = "detail" if action.operation is Operation.FILE_ACCESS else "app"
    return Event(START + timedelta(minutes=number), action.operation, action.target, **{place: action.place})


def _prediction(row: EventRow, after: EventRow | None) -> PredictionRow:
    return PredictionRow(
        scope=row.scope,
        made_at=row.at,
        last_event_id=row.id,
        model_version="builtin",
        candidates=[Candidate(action, 0.2, row.at).as_dict("en") for action in DONE],
        upcoming=[Upcoming(action, 0.3).as_dict("en", row.at) for action in DONE],
        places=[NextPlace(action.coarse, 0.2).as_dict() for action in DONE[:4]],
        person=[NextAction(action, 0.2).as_dict("en", row.at) for action in DONE],
        new_place=0.2,
        new_probability=0.0,
        latency_ms=1.0,
        person_event_id=after.id if after else None,
        place_rank=1 if after else None,
    )


def _attempt(prediction: PredictionRow, number: int) -> DispatchRow:
    action = DONE[number]
    return DispatchRow(
        prediction_id=prediction.id,
        scope=prediction.scope,
        handler=f"handler {number}",
        status="stopped",
        detail=f"cooldown: {action.target} was attempted",
        action=action_as_dict(action),
        probability=0.2,
        at=prediction.made_at,
    )


def ask(home: Home, **asked: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """Return for each tool whether it failed, and its text."""
    return _ask(make_server(LiveSettings(Settings.load(), home), home), asked)


def ask_command(home: Home, **asked: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """Return the same from `memo mcp` in a process of its own, on standard input and output."""
    return _ask(StdioServerParameters(command=str(MEMO), args=["mcp"], env={"MEMO_HOME": str(home.root)}), asked)


def _ask(server: MCPServer[Any] | StdioServerParameters, asked: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    async def run() -> dict[str, tuple[bool, str]]:
        async with Client(server, read_timeout_seconds=WAIT_S) as client:
            return {name: _text(await client.call_tool(name, arguments)) for name, arguments in asked.items()}

    return anyio.run(run)


def _text(result: Any) -> tuple[bool, str]:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return bool(result.is_error), content.text


def answer(home: Home, tool: str, **arguments: Any) -> Any:
    failed, text = ask(home, **{tool: arguments})[tool]
    assert not failed, text
    return json.loads(text)


def test_tools_are_announced_as_reading_only(home: Home) -> None:
    async def run() -> Any:
        async with Client(make_server(LiveSettings(Settings.load(), home), home)) as client:
            return (await client.list_tools()).tools

    tools = anyio.run(run)
    assert {tool.name for tool in tools} == set(TOOLS)
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools)


def test_each_tool_answers_without_a_title(home: Home, store: Store) -> None:
    for name, (failed, text) in ask_command(home, **TOOLS).items():
        assert not failed, text
        assert "editor" in text and "news.example" in text and "salary.ods" in text or name == "day", name
        assert [title for title in TITLES if title in text] == [], name


def test_titles_are_told_where_the_settings_say_so(home: Home, store: Store) -> None:
    home.config.write_text("[mcp]\ntitles = true\n")
    found = ask(home, **TOOLS)
    for name in ("what_next", "history", "why"):
        assert all(title in found[name][1] for title in TITLES), name


def test_what_is_excluded_now_is_never_told(home: Home, store: Store) -> None:
    home.config.write_text(
        '[mcp]\ntitles = true\n[privacy]\nsites = ["news.example"]\nfolders = ["/home/ada/private"]\n'
        'titles = ["layoffs"]\n'
    )
    for name, (failed, text) in ask(home, **TOOLS).items():
        assert not failed and "editor" in text, text
        assert [hidden for hidden in ("news.example", "salary", "private", "Layoffs") if hidden in text] == [], name


def test_windows_that_differ_in_the_title_are_one(home: Home, store: Store) -> None:
    found = answer(home, "what_next")
    editor = {"operation": "window_focus", "target": "editor", "place": "editor"}
    assert found["person"][0] == {"action": editor, "probability": 0.4}
    assert [place["name"] for place in found["places"]] == ["editor", "news.example", "/home/ada/private"]


@pytest.mark.parametrize("searched", [1, 200_000])
def test_what_is_excluded_is_as_if_it_were_not_there(
    home: Home, store: Store, monkeypatch: pytest.MonkeyPatch, searched: int
) -> None:
    monkeypatch.setattr("db.page.acts.SEARCHED", (searched,))
    add(store, Settings.load().scope, [SITE] * 3)
    assert answer(home, "history", site="news.example", limit=1)["before"]
    home.config.write_text('[privacy]\nsites = ["news.example"]\napps = ["editor"]\n')
    for hidden, absent in (
        ({"site": "news.example"}, {"site": "absent.example"}),
        ({"app": "editor"}, {"app": "absent"}),
        ({"site": "news.example", "app": "gimp"}, {"site": "absent.example", "app": "gimp"}),
        ({"app": "editor", "day": "2026-03-02"}, {"app": "absent", "day": "2026-03-02"}),
    ):
        assert answer(home, "history", **hidden) == answer(home, "history", **absent)
        assert answer(home, "history", **hidden)["acts"] == []


def test_history_goes_on_before_the_last_row(home: Home, store: Store) -> None:
    first = answer(home, "history", limit=2)
    older = answer(home, "history", before=first["before"])
    assert [act["action"]["target"] for act in first["acts"] + older["acts"]] == [
        "editor",
        "salary.ods",
        "news.example",
    ]


def test_history_of_an_app_and_of_a_day(home: Home, store: Store) -> None:
    found = ask(home, history={"app": "editor", "day": "2026-03-02"}, day={"day": "2026-03-01"})
    assert [act["action"]["place"] for act in json.loads(found["history"][1])["acts"]] == ["editor"]
    assert json.loads(found["day"][1])["acts"] == 0


@pytest.mark.parametrize("tool", ["history", "day"])
def test_a_day_beyond_the_calendar_is_refused(home: Home, store: Store, tool: str) -> None:
    failed, text = ask(home, **{tool: {"day": "9999-12-31"}})[tool]
    assert failed and "2999-12-31" in text


def test_ids_of_the_history_can_be_explained(home: Home, store: Store) -> None:
    number = answer(home, "history")["acts"][0]["id"]
    assert answer(home, "why", prediction=number)["id"] == number


def test_another_scope_is_told_by_its_name(home: Home, store: Store) -> None:
    add(store, "bo@host", [FILE, SITE, FILE])
    found = ask(home, history={"scope": "bo@host"}, what_next={"scope": "bo@host"}, day=TOOLS["day"])
    scopes = [json.loads(text)["scope"] for _, text in found.values()]
    assert scopes == ["bo@host", "bo@host", Settings.load().scope]
    number = json.loads(found["history"][1])["acts"][0]["id"]
    assert printed("why", str(number)).splitlines()[0].endswith("  bo@host")


def test_answers_are_bounded_whatever_is_stored(home: Home, store: Store) -> None:
    home.config.write_text("[mcp]\ntitles = true\n")
    scope, title = Settings.load().scope, "日" * 5_000
    add(store, scope, [Action(Operation.WINDOW_FOCUS, f"{n}{title}", f"app{n}{title}") for n in range(90)])
    found = ask(home, what_next={}, history={"limit": MOST_ACTS}, day={"day": "2026-03-02"})
    assert len(json.loads(found["history"][1])["acts"]) == MOST_ACTS
    assert all(len(text) < 60_000 for _, text in found.values())


def test_a_mistake_is_answered_with_a_sentence(home: Home) -> None:
    failed, text = ask(home, what_next={})["what_next"]
    assert failed and text.endswith("Nothing is stored yet; `memo up` starts MEMO.")


def test_an_unknown_prediction_is_answered_with_a_sentence(home: Home, store: Store) -> None:
    failed, text = ask(home, why={"prediction": 4711})["why"]
    assert failed and "There is no prediction 4711" in text


def test_nothing_is_written_into_the_store(home: Home, store: Store) -> None:
    before = _dump(home)
    ask(home, what_next={}, history={}, day={}, why={"prediction": 1})
    assert _dump(home) == before


def _dump(home: Home) -> list[str]:
    with closing(sqlite3.connect(home.root / "memo.db")) as connection:
        return list(connection.iterdump())


def test_without_the_package_the_remedy_is_named(home: Home) -> None:
    code = "import sys; sys.modules['mcp'] = None; sys.argv = ['memo', 'mcp']; import cli; cli.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == f"`memo mcp` needs the package mcp; run `{sys.executable} -m pip install mcp`.\n"
