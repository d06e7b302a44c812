"""What `memo pick` offers, from a real store, and what it stores of a pick."""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from handling import entry, program
from picking import NOW, store_prediction
from stores import make_store
from waiting import until

from cli.pick import preloaded, targets
from cli.pick.choices import LINES, make_offer
from cli.pick.open_windows import OpenWindow
from cli.pick.pick import pick
from cli.pick.pickers import PICKERS, find_picker
from db.engine import open_store
from db.models import FeedbackRow
from db.prediction import feedback
from memo.clock import pauses
from memo.core.errors import MemoError, UsageError
from memo.core.events import Action, Operation
from memo.core.paths import Home
from memo.core.predictions import action_as_dict
from memo.core.settings import Settings
from memo.desktop.sockets import answers as answers_at
from memo.stack import running, standby

ROOT = Path(__file__).resolve().parents[2]
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
CHAT = Action(FOCUS, "", "chat")
START_CHAT = Action(START, "chat")
ALL = [NEWS, START_CHAT, TERMINAL, MAIL, EDITOR]
Predict = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the apps and programs of this desktop are. Windows of mail, editor and terminal are open."""
    for name in ("share/applications", "bin", "none"):
        (tmp_path / name).mkdir(parents=True)
    program(tmp_path, "start")
    program(tmp_path, "xdg-open")
    for app in ("mail", "editor", "terminal", "chat"):
        entry(tmp_path, app, Exec=f"{tmp_path}/bin/start {app}", Icon=f"{app}-icon")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    open_window(monkeypatch, MAIL, EDITOR, TERMINAL)
    return tmp_path


def open_window(monkeypatch: pytest.MonkeyPatch, *actions: Action) -> list[Action]:
    """Have only these windows open; what gets the focus is in the list."""
    focused = list[Action]()
    found = [OpenWindow(action, lambda action=action: focused.append(action)) for action in actions]  # type: ignore[misc]
    monkeypatch.setattr(targets, "find_open_windows", lambda _: found)
    return focused


@pytest.fixture
def report(folder: Path) -> Action:
    """A document."""
    (folder / "report.pdf").touch()
    return Action(FILE, "report.pdf", str(folder))


@pytest.fixture
def predict(home: Home, folder: Path) -> Predict:
    """Return a function that stores what was done and a prediction made after it."""
    return partial(store_prediction, home)


def offered(home: Home) -> list[Action]:
    """The actions in the list."""
    settings = Settings.load()
    store = open_store(settings, home)
    with store.read() as session:
        found = [choice.target.action for choice in make_offer(session, settings, home).choices]
    store.close()
    return found


def test_the_previous_place_is_first_then_the_likeliest(predict: Predict, home: Home, report: Action) -> None:
    predict([report, *ALL], person=[EDITOR, TERMINAL, NEWS, MAIL], upcoming=[report, START_CHAT])
    assert offered(home) == [MAIL, TERMINAL, NEWS, report, CHAT], "without the editor, which is in front"


def test_the_likeliest_is_first_if_it_is_wished(predict: Predict, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_PICK__FIRST", "likeliest")
    predict(ALL, person=[TERMINAL, MAIL])
    assert offered(home) == [TERMINAL, MAIL]


def test_nothing_unseen_is_offered(predict: Predict, home: Home) -> None:
    never = [Action(VISIT, "evil.example"), Action(FOCUS, "Inbox", "game"), Action(FOCUS, "other", "chat")]
    predict(ALL, person=[TERMINAL, *never], upcoming=[Action(START, "editor")])
    assert offered(home) == [MAIL, TERMINAL]


@pytest.mark.parametrize(
    ("variable", "value", "left_out"),
    [
        ("APPS", '["mail"]', MAIL),
        ("APPS", '["chat"]', CHAT),
        ("SITES", '["news.example"]', NEWS),
        ("TITLES", '["buil"]', TERMINAL),
    ],
)
def test_nothing_that_is_excluded_since_is_offered(
    predict: Predict, home: Home, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, left_out: Action
) -> None:
    predict(ALL, person=[TERMINAL, NEWS], upcoming=[START_CHAT])
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


def test_an_open_window_beats_a_second_start(predict: Predict, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    team = Action(FOCUS, "Team", "chat")
    predict([team, *ALL], person=[TERMINAL], upcoming=[START_CHAT, CHAT])
    open_window(monkeypatch, MAIL, team)
    assert offered(home) == [MAIL, Action(FOCUS, "", "terminal"), CHAT], "one line for an app"


def test_what_is_gone_is_not_offered(predict: Predict, home: Home, folder: Path, report: Action) -> None:
    predict([report, *ALL], upcoming=[report, START_CHAT])
    assert offered(home) == [MAIL, report, CHAT]
    (folder / "report.pdf").unlink()
    (folder / "share/applications/chat.desktop").unlink()
    assert offered(home) == [MAIL]


def test_a_site_that_cannot_be_opened_is_not_offered(predict: Predict, home: Home) -> None:
    local = [Action(VISIT, site) for site in ("127.0.0.1", "board.localhost", "intranet")]
    predict([*local, *ALL], person=[*local, NEWS])
    assert offered(home) == [MAIL, NEWS]


def test_the_list_has_at_most_eight_lines(predict: Predict, home: Home) -> None:
    sites = [Action(VISIT, f"site{n}.example") for n in range(20)]
    predict([*sites, MAIL, EDITOR], person=sites)
    assert offered(home) == [MAIL, *sites[: LINES - 1]]


def test_print_shows_one_line_for_each(
    predict: Predict, folder: Path, report: Action, capsys: pytest.CaptureFixture[str]
) -> None:
    predict([report, *ALL], person=[TERMINAL, NEWS], upcoming=[report, START_CHAT])
    pick(prints=True)
    expected = ["mail: Inbox", "terminal: build", "news.example", f"report.pdf ({folder})", "chat"]
    assert capsys.readouterr().out.splitlines() == expected


def test_json_names_line_action_and_probability(predict: Predict, capsys: pytest.CaptureFixture[str]) -> None:
    predict(ALL, upcoming=[START_CHAT])
    pick(as_json=True)
    previous, likeliest = json.loads(capsys.readouterr().out)
    facts = {"is_open": True, "icon": "mail-icon", "probability": None}
    assert previous == {"line": 1, "text": "mail: Inbox", "action": action_as_dict(MAIL)} | facts
    assert (likeliest["line"], likeliest["is_open"], likeliest["probability"]) == (2, False, 0.3)


def test_without_a_prediction_it_says_what_to_do(home: Home) -> None:
    with pytest.raises(MemoError, match="start MEMO"):
        pick(prints=True)
    make_store(Settings(), home)
    with pytest.raises(MemoError, match="predicted nothing yet"):
        pick(prints=True)


@pytest.fixture
def stub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Return a function that has a picker named rofi answer with an index; what it read is in `given`."""
    monkeypatch.setenv("MEMO_PICK__PROGRAM", "rofi")

    def answer(index: object) -> None:
        path = folder / "bin" / "rofi"
        path.write_text(f"#!/bin/sh\ncat > {folder}/given\necho {index}\n")
        path.chmod(0o755)

    return answer


def answers(home: Home) -> list[tuple[str, str, int | None]]:
    """The app or site of each answer, the answer and its line."""
    store = open_store(settings := Settings(), home)
    with store.read() as session:
        rows = feedback.find_answers_after(session, settings.scope, 0)
        found = [(row.action["place"] or row.action["target"], row.answer, row.line) for row in rows]
    store.close()
    return found


def test_a_picked_window_comes_to_the_front(
    predict: Predict, home: Home, stub: Callable[[object], None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(ALL, person=[NEWS, TERMINAL], upcoming=[START_CHAT])
    focused = open_window(monkeypatch, MAIL, EDITOR, TERMINAL)
    stub(2)
    pick()
    assert focused == [TERMINAL]
    assert answers(home) == [("news.example", "no", 2), ("terminal", "yes", 3)], "the first line is no suggestion"
    lines = (folder / "given").read_text().split("\n")
    assert lines[0] == "mail: Inbox\0icon\x1fmail-icon"
    assert lines[1] == "news.example"


@pytest.mark.parametrize("index", [-1, 4, "", "99999999999999999999", "mail: Inbox", "0 1"])
def test_any_other_answer_of_a_picker_picks_nothing(
    predict: Predict, home: Home, stub: Callable[[object], None], monkeypatch: pytest.MonkeyPatch, index: object
) -> None:
    predict(ALL, person=[NEWS, TERMINAL], upcoming=[START_CHAT])
    focused = open_window(monkeypatch, MAIL, EDITOR, TERMINAL)
    stub(index)
    pick()
    assert (focused, answers(home)) == ([], [])


def test_no_title_reaches_a_shell_or_ends_a_line(
    predict: Predict, home: Home, stub: Callable[[object], None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = Action(FOCUS, f"$(touch {folder}/pwned) `touch {folder}/pwned` ; img:x <b> --help", "mail")
    predict([*ALL[:-2], hostile, EDITOR], person=[TERMINAL])
    focused = open_window(monkeypatch, hostile, TERMINAL)
    stub(0)
    pick()
    assert focused == [hostile]
    assert not (folder / "pwned").exists()
    assert (folder / "given").read_text().count("\n") == 1, "two lines"


def test_a_pick_in_a_pause_is_not_stored(predict: Predict, home: Home, stub: Callable[[object], None]) -> None:
    predict(ALL, person=[TERMINAL])
    pauses.begin(home, None)
    stub(0)
    pick()
    assert answers(home) == []


def test_stats_count_picks_in_the_first_lines(
    predict: Predict, stub: Callable[[object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    predict(ALL, person=[Action(VISIT, "news.example"), TERMINAL], upcoming=[START_CHAT])
    pick(stats=True)
    for index in (0, 1, 2, 1):
        stub(index)
        pick()
    pick(stats=True)
    assert capsys.readouterr().out.splitlines() == [
        "Picks: 0; of them in lines 1 to 3: 0",
        "Picks: 4; of them in lines 1 to 3: 4 (100%); open windows on average: 3.0",
    ]


def test_stats_say_nothing_of_windows_that_are_not_known(
    predict: Predict,
    stub: Callable[[object], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predict(ALL, person=[NEWS, TERMINAL])
    open_window(monkeypatch)
    stub(0)
    pick()
    pick(stats=True)
    pick(stats=True, as_json=True)
    said, *found = capsys.readouterr().out.splitlines()
    assert said == "Picks: 1; of them in lines 1 to 3: 1 (100%)"
    assert json.loads("".join(found)) == {"picks": 1, "in_first_lines": 1, "first_lines": 3, "windows": None}


def test_the_first_installed_picker_of_the_session_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder / "bin"))
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":7")
    with pytest.raises(UsageError, match="install rofi"):
        find_picker("auto")
    for name in ("dmenu", "fuzzel", "wofi", "rofi"):
        os.symlink("/bin/true", folder / "bin" / name)
    assert find_picker("auto").name == "rofi"
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-1")
    assert find_picker("auto").name == "wofi"
    assert find_picker("dmenu").name == "dmenu"
    with pytest.raises(UsageError, match="install fzf"):
        find_picker("fzf")


def test_settings_know_every_picker(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    for picker in PICKERS:
        monkeypatch.setenv("MEMO_PICK__PROGRAM", picker.name)
        assert Settings.load().pick.program == picker.name


def stand_by(home: Home) -> list[psutil.Process]:
    """The processes that stand by in this home."""
    found = [process for process in psutil.process_iter(["cmdline", "environ"]) if process.info["environ"]]
    mine = [process for process in found if process.info["environ"].get("MEMO_HOME") == str(home.root)]
    return [process for process in mine if "cli.pick.preloaded" in process.info["cmdline"]]


@pytest.fixture
def ended(home: Home) -> Iterator[None]:
    """End the process that stands by."""
    yield
    for process in stand_by(home):
        process.kill()


def test_the_second_pick_is_made_by_a_process_that_stands_by(
    predict: Predict, home: Home, folder: Path, ended: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(ALL, upcoming=[START_CHAT])
    picker = folder / "bin" / "rofi"
    picker.write_text(
        f"#!/bin/sh\ncat > {folder}/given\ntr '\\0' ' ' < /proc/$PPID/cmdline > {folder}/parent\necho 0\n"
    )
    picker.chmod(0o755)
    monkeypatch.setenv("MEMO_PICK__PROGRAM", "rofi")
    command = [sys.executable, "-m", "memo", "pick"]
    subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=True)
    assert "memo pick" in (folder / "parent").read_text()
    until("the process that stands by", lambda: stand_by(home) and answers_at(home.standby))
    monkeypatch.setenv("MEMO_PRIVACY__APPS", '["mail"]')
    subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=True)
    assert "cli.pick.preloaded" in (folder / "parent").read_text()
    assert "mail" not in (folder / "given").read_text(), "it reads the settings anew"
    monkeypatch.setenv("MEMO_PICK__FIRST", "nonsense")
    failed = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert failed.returncode == 2
    assert "pick.first" in failed.stderr


LOOK_S = 0.01  # between two looks of the process that stands by


@pytest.fixture
def waits(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the process that stands by run in this one, without a list."""
    monkeypatch.setattr(preloaded, "find_offer", lambda *_given: None)
    monkeypatch.setattr(signal, "signal", lambda *_given: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)


@pytest.mark.parametrize("last", [None, 8])
def test_it_stands_by_while_the_same_memo_runs(
    last: int | None, waits: None, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    holders = iter([7, 7, 7, last])
    monkeypatch.setattr(running, "holder", lambda _home: next(holders))
    preloaded.main(idle_s=0.0, check_s=LOOK_S)
    assert next(holders, "asked until it was another") == "asked until it was another"


@pytest.mark.parametrize("idle_s", [0.0, 3600.0])
def test_without_memo_it_ends_when_idle_or_memo_starts(
    idle_s: float, waits: None, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    holders = iter([None, None] + [7] * (idle_s > 0))
    monkeypatch.setattr(running, "holder", lambda _home: next(holders))
    preloaded.main(idle_s, check_s=LOOK_S)
    assert next(holders, "asked until its end") == "asked until its end"


def test_one_of_an_earlier_memo_answers_no_pick(waits: None, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    holders = iter([7, 7, 8, 8])
    monkeypatch.setattr(running, "holder", lambda _home: next(holders))
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("it answered"))
    monkeypatch.setattr(gc, "freeze", lambda: threading.Thread(target=standby.ask).start())
    preloaded.main(check_s=None)
    assert next(holders, "asked until its end") == "asked until its end"


def test_a_forget_during_its_first_list_ends_it(waits: None, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preloaded, "find_offer", lambda *_given: home.standby.unlink(missing_ok=True))
    preloaded.main(idle_s=0.0, check_s=LOOK_S)
    assert not home.standby.exists()
