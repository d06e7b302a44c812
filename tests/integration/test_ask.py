"""Questions on the desktop: a stand-in for its notifications on a real bus, and a real dunst."""

import asyncio
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import needs_program
from dbus_fast import Message
from dbus_fast.aio import MessageBus
from handling import HOSTILE, SCOPE, candidate, context, entry, program, remember
from notified import NEVER, Server, serving
from session_bus import Bus
from test_launching import folder as folder
from waiting import WAIT_S, until
from xserver import new_desktop

from memo.core.errors import MemoError
from memo.core.events import Operation
from memo.core.grammar import Language
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import NothingToDo
from worker.effects.launcher import Launcher
from worker.effects.notifications import MAX_SHOWN, NAME, PATH, NotShown, plain, show
from worker.handlers.ask import WAIT_S as ASK_S
from worker.handlers.ask import AskHandler
from worker.handlers.notify import NotifyHandler

START = Operation.PROCESS_START
YES, NO = "yes", "no"
ACTIONS = {YES: "Yes", NO: "No"}


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    made = Bus()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", made.address)
    yield made
    made.end()


@pytest.fixture
def server(bus: Bus) -> Iterator[Server]:
    made = Server(bus.address)
    with serving(made):
        yield made


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that were started."""
    commands: list[list[str]] = []
    monkeypatch.setattr(Launcher, "start_as_asked", lambda self, command: commands.append(command))
    return commands


def ask(home: Home, folder: Path, language: Language = "en", wait_s: float = ASK_S) -> AskHandler:
    program(folder)
    entry(folder, Exec="notes --new")
    settings = Settings(scope=SCOPE, language=language)
    remember(settings, home, candidate(START, "notes"))
    return AskHandler(settings, home, wait_s)


@pytest.mark.parametrize("answer", [YES, NO, NEVER])
def test_the_answer_is_returned_and_only_yes_opens_it(
    server: Server, home: Home, folder: Path, started: list[list[str]], answer: str
) -> None:
    server.presses = answer
    assert ask(home, folder).handle(candidate(START, "notes"), context()) == {"shown": True, "answer": answer}
    assert started == ([[str(folder / "bin/notes"), "--new"]] if answer == YES else [])
    [[name, replaces, icon, summary, body, actions, hints, expires]] = server.shown
    assert (name, replaces, icon, summary, body) == ("MEMO", 0, "", "MEMO: open it now?", "notes")
    assert actions == ["yes", "Yes", "no", "Not now", "never", "Never"]
    assert hints["urgency"].value == 0 and expires == ASK_S * 1e3


def test_it_speaks_chinese(server: Server, home: Home, folder: Path, started: list[list[str]]) -> None:
    server.presses = NO
    ask(home, folder, "zh").handle(candidate(START, "notes"), context())
    assert server.shown[0][3] == "MEMO：现在打开吗？" and server.shown[0][5][1::2] == ["是", "现在不", "永不"]


@pytest.mark.parametrize("presses", ["close", "other"])
def test_no_answer_is_none(server: Server, home: Home, folder: Path, started: list[list[str]], presses: str) -> None:
    server.presses = presses
    assert ask(home, folder).handle(candidate(START, "notes"), context()) == {"shown": True}
    assert started == []


def test_a_question_that_nobody_answers_is_taken_back(
    server: Server, home: Home, folder: Path, started: list[list[str]]
) -> None:
    server.presses = "ignore"
    assert ask(home, folder, wait_s=0.2).handle(candidate(START, "notes"), context()) == {"shown": True}
    assert server.closed == [1] and started == []


def test_another_program_can_not_answer(server: Server, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    server.presses = "ignore"

    def forge() -> None:
        async def connected() -> None:
            forger = await MessageBus(bus.address).connect()
            for _ in range(20):
                await forger.send(Message.new_signal(PATH, NAME, "ActionInvoked", "us", [1, YES]))
                await asyncio.sleep(0.02)
            forger.disconnect()

        asyncio.run(connected())

    forger = threading.Thread(target=forge)
    forger.start()
    assert show("a", "b", ACTIONS, 0.6) is None
    forger.join()


@pytest.mark.parametrize("presses", ["error", "silent"])
def test_a_server_that_fails_raises_a_sentence(server: Server, presses: str) -> None:
    server.presses = presses
    with pytest.raises(NotShown, match="no program shows notifications"):
        show("a", "b", ACTIONS, WAIT_S, call_s=0.3)


def test_a_server_that_has_no_buttons_is_not_asked(server: Server) -> None:
    server.able = ["body"]
    with pytest.raises(NotShown, match="have no buttons"):
        show("a", "b", ACTIONS, WAIT_S)
    assert server.shown == []
    assert show("a", "b", {}, WAIT_S) is None and len(server.shown) == 1


def test_without_a_server_or_a_bus_it_fails_at_once(bus: Bus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(NotShown, match="no program shows notifications"):
        show("a", "b", ACTIONS, WAIT_S)
    for address in (f"unix:path={tmp_path}/none", "nonsense"):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        with pytest.raises(NotShown, match="session bus"):
            show("a", "b", ACTIONS, WAIT_S)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(NotShown, match="session bus"):
        show("a", "b", ACTIONS, WAIT_S)


def test_a_bus_that_goes_is_no_answer(bus: Bus, server: Server) -> None:
    server.presses = "ignore"

    def kill() -> None:
        until("the question", lambda: server.shown)
        bus.daemon.kill()

    threading.Thread(target=kill).start()
    with pytest.raises(NotShown):
        show("a", "b", ACTIONS, 2.0)


def test_what_can_not_be_opened_is_not_asked(
    server: Server, home: Home, folder: Path, started: list[list[str]]
) -> None:
    server.presses = YES
    handler = ask(home, folder)
    with pytest.raises(MemoError):
        handler.handle(candidate(START, "other"), context())
    entry(folder, Exec="sh -c x")
    with pytest.raises(MemoError):
        handler.handle(candidate(START, "notes"), context())
    assert server.shown == [] and started == []


def test_it_is_not_asked_about_an_app_that_runs(
    server: Server, home: Home, folder: Path, started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Launcher, "_runs", lambda self, app, command: True)
    with pytest.raises(NothingToDo):
        ask(home, folder).handle(candidate(START, "notes"), context())
    assert server.shown == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text_or_not_at_all(server: Server, home: Home, name: str) -> None:
    text = HOSTILE[name]
    shown = plain(text)
    assert len(shown) <= MAX_SHOWN * 5 + 1 and shown.isprintable() and not set(shown) & set("<>")
    settings = Settings(scope=SCOPE)
    given = candidate(Operation.WINDOW_FOCUS, text, "app")
    if name in ("surrogate", "zero", "empty", "newline", "escape", "long"):  # no event has these
        remember(settings, home)
        with pytest.raises(MemoError):
            NotifyHandler(settings, home).handle(given, context())
        return
    remember(settings, home, given)
    assert NotifyHandler(settings, home).handle(given, context()) == {"shown": True}
    assert server.shown[0][4].startswith("focus app: ") and not set(server.shown[0][4]) & set("<>\n")
    assert server.shown[0][5] == []


@pytest.mark.parametrize(
    "name", ["<b>$(touch pwned)</b>; `id` & 'x'.md", "-rf.md", "--help", "..md", "a b\u202egnp.md"]
)
def test_a_document_with_a_hostile_name_opens_by_its_path(
    server: Server, home: Home, folder: Path, started: list[list[str]], name: str
) -> None:
    server.presses = YES
    path = folder / name.replace("/", "\u2215")
    path.write_text("x")
    settings = Settings(scope=SCOPE)
    one = candidate(Operation.FILE_ACCESS, path.name, str(folder))
    remember(settings, home, one)
    opener = program(folder, "xdg-open")
    assert AskHandler(settings, home).handle(one, context())["answer"] == YES
    assert started == [[str(opener), str(path)]]
    assert not set(server.shown[0][4]) & set("<>\n")


@pytest.mark.parametrize("name", HOSTILE)
def test_what_nobody_has_is_not_asked_about(
    server: Server, home: Home, folder: Path, started: list[list[str]], name: str
) -> None:
    server.presses, text = YES, HOSTILE[name]
    handler = ask(home, folder)
    for operation in (START, Operation.WEB_VISIT, Operation.FILE_ACCESS):
        with pytest.raises(MemoError):
            handler.handle(candidate(operation, text, text, text), context())
    assert server.shown == [] and started == []


def test_markup_in_a_name_is_shown_as_it_is_written() -> None:
    assert plain("<a href='x'>b</a> & c") == "&lt;a href='x'&gt;b&lt;/a&gt; &amp; c"
    assert plain("a\u2028b\tc\u202egnp.exe") == "a b c gnp.exe"


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False).stdout


def test_a_real_server_shows_it_and_its_answer_comes_back(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dunst, control = needs_program("dunst"), needs_program("dunstctl")
    menu = tmp_path / "menu"
    menu.write_text(f"#!/bin/sh\ntee {tmp_path}/choices | grep Yes | head -n 1\n")
    menu.chmod(0o755)
    (tmp_path / "dunstrc").write_text(f'[global]\n  dmenu = "{menu}"\n')
    with new_desktop() as desktop:
        monkeypatch.setenv("DISPLAY", desktop.display)
        desktop.start(dunst, "-config", str(tmp_path / "dunstrc"))
        answers: list[str | None] = []

        def asks() -> None:
            deadline = time.monotonic() + WAIT_S
            while not answers and time.monotonic() < deadline:
                try:
                    answers.append(show("MEMO", plain("<b>notes</b>"), ACTIONS, WAIT_S))
                except NotShown:
                    time.sleep(0.1)  # dunst is not there yet

        thread = threading.Thread(target=asks)
        thread.start()
        until("it is shown", lambda: "1" in _said(control, "count", "displayed"))
        _said(control, "context")
        thread.join(WAIT_S)
    assert answers == [YES], "of Yes and No"
