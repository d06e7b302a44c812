"""What may be started, and how: real programs, real desktop entries, and a store that remembers."""

import functools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from handling import HOSTILE, SCOPE, candidate, context, entry, program, remember
from waiting import until

from memo.core.errors import MemoError
from memo.core.events import Operation
from memo.core.paths import Home
from memo.core.predictions import Candidate
from memo.core.settings import LaunchSettings, Settings
from memo.protocols import NothingToDo
from worker.dispatch.handler_process import HandlerProcess
from worker.effects.launcher import Launcher, NotStarted
from worker.effects.seen_before import NotSeenBefore
from worker.gates.attempt import Attempt
from worker.handlers.launch_app import LaunchAppHandler

START, VISIT, FILE = Operation.PROCESS_START, Operation.WEB_VISIT, Operation.FILE_ACCESS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where desktop entries are; programs are in `bin`, which is searched."""
    for name in ("share/applications", "bin", "none"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return tmp_path


@pytest.fixture
def settings() -> Settings:
    return Settings(scope=SCOPE, launch=LaunchSettings(apps=["notes"]))


@pytest.fixture
def launcher(settings: Settings, home: Home, folder: Path) -> Launcher:
    return Launcher(settings, home)


@pytest.fixture
def ended() -> Iterator[Callable[[int], None]]:
    """Ends what a test has started."""
    pids: list[int] = []
    yield pids.append
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        until("its end", functools.partial(_gone, pid))


def _gone(pid: int) -> bool:
    return not psutil.pid_exists(pid)


def test_an_app_is_started_as_its_entry_says_and_alone(
    settings: Settings, home: Home, folder: Path, ended: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    program(folder)
    entry(folder, Exec='notes --new "two words" %U')
    seen = candidate(START, "notes")
    remember(settings, home, seen)
    monkeypatch.setenv("HOME", str(folder))
    handler = LaunchAppHandler(settings, home)
    assert handler.accepts(seen.action)
    with open("/dev/null") as held:
        os.set_inheritable(held.fileno(), True)
        ended(handler.handle(seen, context())["pid"])
    report = folder / "report"
    until("its report", report.exists)
    told = json.loads(report.read_text())
    assert told["argv"] == ["--new", "two words"] and told["cwd"] == str(folder)
    assert told["session"] and told["memo"] == [] and len(told["files"]) == 4, "and the one that lists them"
    with pytest.raises(NothingToDo, match="runs already"):
        handler.handle(seen, context())


def test_nothing_to_do_is_told_by_a_handlers_process(home: Home) -> None:
    process = HandlerProcess("launch_app")
    with pytest.raises(NothingToDo, match="do not name"):
        process.handle(Attempt("launch_app", candidate(START, "notes"), context()), 60.0)
    process.end()


def test_what_was_asked_for_is_no_child_of_ours(
    launcher: Launcher, settings: Settings, home: Home, folder: Path, ended: Callable[[int], None]
) -> None:
    program(folder)
    entry(folder, Exec="notes --new")
    remember(settings, home, candidate(START, "notes"))
    launcher.start_as_asked(launcher.command(candidate(START, "notes"), SCOPE))
    report = folder / "report"
    until("its report", report.exists)
    told = json.loads(report.read_text())
    ended(told["pid"])
    assert told["argv"] == ["--new"] and told["session"]
    until(
        "it has another parent", lambda: os.getpid() not in {one.pid for one in psutil.Process(told["pid"]).parents()}
    )


@pytest.mark.parametrize(("is_asked", "unit"), [(False, "memo-started-"), (True, "memo-asked-")])
def test_a_service_has_systemd_start_the_app(
    launcher: Launcher, folder: Path, monkeypatch: pytest.MonkeyPatch, is_asked: bool, unit: str
) -> None:
    asked = folder / "bin" / "systemd-run"
    asked.parent.mkdir(exist_ok=True)
    asked.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {folder}/fresh && mv {folder}/fresh {folder}/words\n')
    asked.chmod(0o755)
    monkeypatch.setenv("PATH", f"{asked.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("MEMO_SERVICE", "1")
    (launcher.start_as_asked if is_asked else launcher.start)(["/usr/bin/notes", "two $words"])
    until("the request", (folder / "words").exists)
    words = (folder / "words").read_text().splitlines()
    assert words[-3:] == ["--", "/usr/bin/notes", "two $$words"]
    assert [word for word in words if word.startswith("--unit=")][0].startswith(f"--unit={unit}")


def test_nothing_is_started_that_its_owner_has_not_named(settings: Settings, home: Home, folder: Path) -> None:
    program(folder, "other")
    entry(folder, "other", Exec="other")
    seen = candidate(START, "other")
    remember(settings, home, seen)
    handler = LaunchAppHandler(settings, home)
    assert not handler.accepts(seen.action)
    with pytest.raises(NothingToDo):
        handler.handle(seen, context())
    assert not LaunchAppHandler(Settings(scope=SCOPE), home).accepts(candidate(START, "notes").action), (
        "none by default"
    )
    assert not (folder / "report").exists()


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"Exec": "sh -c 'touch pwned'"}, "quoted"),
        ({"Exec": 'sh -c "touch pwned"'}, "shell"),
        ({"Exec": "env /bin/bash notes"}, "shell"),
        ({"Exec": "notes; touch pwned"}, "quoted"),
        ({"Exec": "notes $(touch pwned)"}, "quoted"),
        ({"Exec": "notes %q"}, "%q"),
        ({"Exec": "notes", "Terminal": "true"}, "terminal"),
        ({"Exec": "absent"}, "not on this machine"),
        ({"Exec": "../notes"}, "not on this machine"),
        ({"Exec": ""}, "quoted"),
    ],
    ids=lambda given: given["Exec"] if isinstance(given, dict) else "",
)
def test_a_hostile_entry_starts_nothing(
    launcher: Launcher, settings: Settings, home: Home, folder: Path, keys: dict[str, str], says: str
) -> None:
    program(folder)
    entry(folder, **keys)
    remember(settings, home, candidate(START, "notes"))
    with pytest.raises(NotStarted, match=says):
        launcher.command(candidate(START, "notes"), SCOPE)


@pytest.mark.parametrize("open_to_others", ["program", "folder", "entry"])
def test_what_others_can_change_is_not_started(
    launcher: Launcher, settings: Settings, home: Home, folder: Path, open_to_others: str
) -> None:
    places = {"program": program(folder), "folder": folder / "bin", "entry": entry(folder, Exec="notes")}
    remember(settings, home, candidate(START, "notes"))
    assert launcher.command(candidate(START, "notes"), SCOPE) == [str(folder / "bin/notes")]
    places[open_to_others].chmod(0o777)
    with pytest.raises(NotStarted, match="other users"):
        launcher.command(candidate(START, "notes"), SCOPE)


def test_a_program_that_was_seen_running_is_started_by_its_path(
    launcher: Launcher, settings: Settings, home: Home, folder: Path
) -> None:
    path = str(program(folder, "own"))
    seen, written = candidate(START, "own", executable=path), candidate(START, "other", executable=path)
    remember(settings, home, seen)
    remember(settings, home, written, source="inbox")
    assert launcher.command(seen, SCOPE) == [path]
    with pytest.raises(NotStarted, match="MEMO knows no program"):
        launcher.command(written, SCOPE)


@pytest.mark.parametrize("said", ["", "/usr/bin/id"], ids=["upcoming, which says nothing of it", "another one"])
def test_the_program_started_is_the_one_that_was_seen(
    launcher: Launcher, settings: Settings, home: Home, folder: Path, said: str
) -> None:
    path = str(program(folder, "own"))
    remember(settings, home, candidate(START, "own", executable=path))
    assert launcher.command(candidate(START, "own", executable=said), SCOPE) == [path]


def test_an_app_without_a_desktop_entry_is_known_to_run(
    launcher: Launcher, settings: Settings, home: Home, folder: Path
) -> None:
    path, asked = folder / "bin" / "own", candidate(START, "an app of mine")
    shutil.copy("/usr/bin/sleep", path)
    remember(settings, home, replace(asked, executable=str(path)))
    command = launcher.command(asked, SCOPE)
    launcher.check_absent(asked.action, command)
    running = subprocess.Popen([*command, "1000"])
    with pytest.raises(NothingToDo):
        launcher.check_absent(asked.action, command)
    running.kill()
    running.wait()


def test_no_interpreter_no_link_and_no_bare_name_is_started(
    launcher: Launcher, settings: Settings, home: Home, folder: Path
) -> None:
    path, link = program(folder, "own"), folder / "bin" / "link"
    link.symlink_to(path)
    plain = folder / "bin" / "plain"
    plain.write_text("no program")
    given = ("/bin/sh", "/usr/bin/python3.11", str(link), "own", "", str(plain), f"{folder}/bin/../bin/own")
    for number, executable in enumerate(given):
        one = candidate(START, f"app {number}", executable=executable)
        remember(settings, home, one)
        with pytest.raises(NotStarted):
            launcher.command(one, SCOPE)


def test_a_prediction_of_another_scope_starts_nothing(
    launcher: Launcher, settings: Settings, home: Home, folder: Path
) -> None:
    program(folder)
    entry(folder, Exec="notes")
    remember(settings, home, candidate(START, "notes"))
    with pytest.raises(NotSeenBefore, match="another person"):
        launcher.command(candidate(START, "notes"), "eve@elsewhere")


def test_sites_and_documents_are_opened_by_the_desktop(
    launcher: Launcher, settings: Settings, home: Home, folder: Path
) -> None:
    opener = program(folder, "xdg-open")
    document, script, link = (folder / name for name in ("plan.md", "run.sh", "link.md"))
    document.write_text("x")
    script.write_text("x")
    script.chmod(0o755)
    link.symlink_to(document)
    site = candidate(VISIT, "bücher.de")
    files = [candidate(FILE, name, str(folder)) for name in ("plan.md", "run.sh", "link.md", "gone.md", "bin")]
    remember(settings, home, site, *files)
    assert launcher.command(site, SCOPE) == [str(opener), "https://xn--bcher-kva.de/"]
    assert launcher.command(files[0], SCOPE) == [str(opener), str(document)]
    for refused in files[1:]:
        with pytest.raises(NotStarted, match="file"):
            launcher.command(refused, SCOPE)
    with pytest.raises(NotSeenBefore):
        launcher.command(candidate(FILE, "passwd", "/etc"), SCOPE)
    with pytest.raises(NotSeenBefore):
        launcher.command(candidate(VISIT, "never.example.com"), SCOPE)


def _everywhere(text: str) -> list[Candidate]:
    return [
        candidate(START, text),
        candidate(START, "notes", executable=text),
        candidate(START, text, executable=text),
        candidate(VISIT, text),
        candidate(FILE, text, text),
        candidate(FILE, "x", text),
        candidate(FILE, text, "/tmp"),
        candidate(Operation.WINDOW_FOCUS, text, text),
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_start_nothing(
    launcher: Launcher, settings: Settings, home: Home, folder: Path, name: str
) -> None:
    program(folder)
    given = _everywhere(HOSTILE[name])
    if name not in ("surrogate", "zero"):  # no store takes these
        remember(settings, home, *given)
    else:
        remember(settings, home)
    for one in given:
        with pytest.raises(MemoError):
            launcher.command(one, SCOPE)
    handler = LaunchAppHandler(Settings(scope=SCOPE, launch=LaunchSettings(apps=["notes"])), home)
    for one in given:
        assert not handler.accepts(one.action) or one.action.target == "notes"
