"""Real programs with desktop entries of their own start and end."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from waiting import until
from watched import watched

from collector.launch import proc
from collector.launch.proc import TICKS
from collector.sources.processes.processes import ProcessesSource
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings, SourceSettings
from memo.stack.spawn import PARENT

START, END = Operation.PROCESS_START, Operation.PROCESS_END
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
SECRET = "9876543.21"
"""An argument: seconds to sleep."""
ALPHA, BETA, GAMMA, NOISE = (f"{name}{os.getpid()}" for name in ("alpha", "beta", "gamma", "noise"))
"""Programs that only this run of the tests has; all but the last one are installed as apps, called `org.test.…`."""

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the programs."""
    entries, programs = tmp_path / "share/applications", tmp_path / "programs"
    entries.mkdir(parents=True)
    programs.mkdir()
    for name in (ALPHA, BETA, GAMMA, NOISE):
        shutil.copy("/bin/sleep", programs / name)
    for name in (ALPHA, BETA, GAMMA):
        install(entries, f"org.test.{name}", programs / name)
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    monkeypatch.delenv(PARENT, raising=False)
    return programs


def install(entries: Path, entry_id: str, program: Path) -> None:
    text = f"[Desktop Entry]\nType=Application\nExec={program} %U\n"
    (entries / f"{entry_id}.desktop").write_text(text)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a program; what still runs at the end of the test is ended."""
    with ExitStack() as stack:

        def run(*command: object) -> subprocess.Popen[bytes]:
            process = subprocess.Popen([str(word) for word in command])
            stack.callback(end, process)
            return process

        yield run


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def seen(events: list[Event]) -> list[tuple[Operation, str]]:
    return [(event.operation, event.target.removeprefix("org.test.")) for event in list(events)]


def source(home: Home, **settings: Any) -> ProcessesSource:
    found = ProcessesSource(Settings(sources=SourceSettings(**settings)), home)
    assert found.missing() == ""
    return found


def test_app_starts_and_ends_once_at_the_right_times(home: Home, apps: Path, start: Start) -> None:
    tick = timedelta(seconds=2 / TICKS)
    with watched(source(home)) as events:
        before = datetime.now(UTC)
        alpha = start(apps / ALPHA, SECRET)
        after = datetime.now(UTC)
        start(apps / NOISE, SECRET)
        until("the start", lambda: seen(events) == [(START, ALPHA)])
        ended = datetime.now(UTC)
        end(alpha)
        until("the end", lambda: seen(events)[1:] == [(END, ALPHA)])
    assert before - tick < events[0].at < after + tick, "when it began, not when it was noticed"
    assert ended - tick < events[1].at < datetime.now(UTC)
    assert all(event.executable == str(apps / ALPHA) for event in events)
    assert SECRET not in repr(events)


def test_helper_processes_belong_to_the_app(home: Home, apps: Path, start: Start) -> None:
    with watched(source(home)) as events:
        first = start(apps / ALPHA, SECRET)
        start(apps / BETA, SECRET)
        until("both starts", lambda: len(events) == 2)
        helpers = [start(apps / ALPHA, SECRET) for _ in range(3)]
        beta = start(apps / BETA, "1.5")
        beta.wait()
        end(first)
        for helper in helpers[:2]:
            end(helper)
        sentinel(start, apps, events)
        assert seen(events).count((START, ALPHA)) == seen(events).count((START, BETA)) == 1
        assert not {(END, ALPHA), (END, BETA)} & set(seen(events))
        end(helpers[2])
        until("the end", lambda: (END, ALPHA) in seen(events))


def sentinel(start: Start, apps: Path, events: list[Event]) -> None:
    """Wait until the source has reported all earlier starts, shown by a later one."""
    start(apps / GAMMA, SECRET)
    until("the start of another app", lambda: (START, GAMMA) in seen(events))


def test_running_app_gives_no_start_and_restart_no_false_end(home: Home, apps: Path, start: Start) -> None:
    before, gone = start(apps / ALPHA, SECRET), start(apps / BETA, SECRET)
    time.sleep(2 / TICKS)  # the clock of processes has ticks
    cursors: dict[str, dict[str, Any]] = {}
    with watched(source(home), cursors) as events:
        sentinel(start, apps, events)
        assert seen(events) == [(START, GAMMA)]
    end(gone)
    with watched(source(home), cursors) as events:
        assert seen(events) == []
        end(before)
        until("its end", lambda: (END, ALPHA) in seen(events))
        assert (END, BETA) not in seen(events)


def test_script_that_execs_the_app_is_the_app(home: Home, apps: Path, tmp_path: Path, start: Start) -> None:
    script = apps / "delta-start"
    script.write_text(f"#!/bin/sh\nsleep 0.3\nexec {apps}/{NOISE} {SECRET}\n")
    script.chmod(0o755)
    install(tmp_path / "share/applications", "org.test.delta", script)
    with watched(source(home)) as events:
        start(script)
        until("the start", lambda: seen(events) == [(START, "delta")])
    assert events[0].executable == str(apps / NOISE)


def test_other_programs_are_reported_only_if_configured(home: Home, apps: Path, start: Start) -> None:
    with watched(source(home, system_processes=True)) as events:
        noise = start(apps / NOISE, SECRET)
        until("the start", lambda: (START, NOISE) in seen(events))
        end(noise)
        until("the end", lambda: (END, NOISE) in seen(events))


def test_memo_and_its_children_are_never_reported(
    home: Home, apps: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PARENT, str(os.getpid()))
    with watched(source(home)) as events:
        start(apps / ALPHA, SECRET)
        orphan = subprocess.run(
            ["sh", "-c", f"{apps}/{BETA} {SECRET} >/dev/null 2>&1 & echo $!"], capture_output=True, check=True
        )
        try:
            until("the start of one that is not its child", lambda: (START, BETA) in seen(events))
        finally:
            os.kill(int(orphan.stdout), signal.SIGKILL)
    assert (START, ALPHA) not in seen(events)


def test_a_unit_is_known_by_the_beginning_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {1: b"0::/user.slice/user@1.service/app.slice/memo-started-a1.service\n", 2: b"0::/a/not-memo-started-\n"}
    monkeypatch.setattr(proc, "_bytes", lambda pid, name: groups[pid])
    assert [proc.is_in_unit(pid, "memo-started-") for pid in groups] == [True, False]


def test_very_short_processes_are_skipped(home: Home, apps: Path, start: Start) -> None:
    with watched(source(home)) as events:
        for _ in range(300):
            subprocess.run([apps / ALPHA, "0.01"], check=True)
        sentinel(start, apps, events)
    assert seen(events) == [(START, GAMMA)]


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(LAST_PID, os.W_OK), reason="needs the right to choose the next process id"
)
def test_reused_process_id_is_another_process(home: Home, apps: Path, start: Start) -> None:
    with watched(source(home)) as events:
        first = start(apps / ALPHA, SECRET)
        until("its start", lambda: (START, ALPHA) in seen(events))
        end(first)
        again = until("the same number", lambda: with_pid(first.pid, start, apps / BETA))
        until("both", lambda: {(END, ALPHA), (START, BETA)} <= set(seen(events)))
        assert again is not None
        end(again)
        until("its end", lambda: (END, BETA) in seen(events))


def with_pid(pid: int, start: Start, program: Path) -> subprocess.Popen[bytes] | None:
    with suppress(OSError):
        LAST_PID.write_text(str(pid - 1))
    process = start(program, SECRET)
    if process.pid == pid:
        return process
    end(process)
    return None
