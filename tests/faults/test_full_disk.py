"""A full disk: it is named, lines of logs stay whole, and with room again everything goes on."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from disks import disk, fill, make_room
from stack import Stack, lines
from waiting import until

from memo.core import logs
from memo.core.paths import Home
from memo.stack import child
from memo.stack.child import Child, ChildState


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A stack that runs on a small disk."""
    with disk("40m") as folder:
        made = Stack(Home(folder))
        try:
            made.ok("up")
            yield made
        finally:
            make_room(folder)
            made.end()


def torn(stack: Stack) -> list[str]:
    """Lines of logs that are no JSON."""
    found = []
    for path in stack.home.logs.glob("*.log*"):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                json.loads(line)
            except ValueError:
                found.append(f"{path.name}: {line}")
    return found


@pytest.mark.slow
def test_full_disk_is_named_and_work_goes_on_with_room(stack: Stack) -> None:
    stack.predict(lines(3, "2026-03-02 09:00:00"))
    before = {part["name"]: part["pid"] for part in stack.status()["parts"]}
    fill(stack.home.root)
    assert f"The disk of {stack.home.root} is full; free some space." in stack.status()["problems"]
    for name in ("collector", "broker"):
        os.kill(before[name], signal.SIGKILL)
    words = f"{stack.home.state} can't be written"

    def is_named() -> bool:
        fill(stack.home.root)  # a restart may have freed something
        return words in " ".join(stack.status()["problems"])

    until("it is named", is_named)
    said = stack.memo("doctor").stdout
    assert "WRONG home" in said and "free some" in said and "WRONG parts" in said
    make_room(stack.home.root)
    stack.predict(lines(3, "2026-03-03 09:00:00"))
    until("all run", lambda: {part["state"] for part in stack.status()["parts"]} == {"running"})
    assert torn(stack) == [] and stack.one("SELECT count(*) FROM events") == 6
    fill(stack.home.root)
    assert stack.ok("down") == "MEMO has stopped.\n"
    make_room(stack.home.root)
    stack.ok("up")
    stack.predict(lines(3, "2026-03-04 09:00:00"))
    assert torn(stack) == []
    assert not [path for path in stack.home.logs.glob("*.out") if "Traceback" in path.read_text()]


def test_log_lines_stay_whole_on_a_full_disk() -> None:
    code = """
import logging, sys
from pathlib import Path
from memo.core import logs
logs.setup(Path(sys.argv[1]), "part")
for number in range(2000):
    logs.get_logger("x").error("said", number=number, text="x" * (number % 300))
"""
    with disk("64k") as folder:
        done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("", "")
        said = (folder / "part.log").read_text()
        assert said.endswith("\n") and len(said) > 30_000
        assert [json.loads(line)["event"] for line in said.splitlines()] == ["said"] * said.count("\n")


def test_log_never_raises(tmp_path: Path) -> None:
    handler = logs.WholeLines(tmp_path / "part.log", maxBytes=10, backupCount=1)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for message, given in (("%d", ("no number",)), ("\ud800", ()), ("fine", ())):
        handler.emit(logging.LogRecord("x", logging.ERROR, "", 0, message, given, None))
    assert (tmp_path / "part.log").read_text() == "fine\n"
    assert (tmp_path / "part.log.1").read_text() == "\\udcd800\n".replace("\\udcd800", "\\ud800")
    handler.close()
    (tmp_path / "part.log").unlink()
    tmp_path.chmod(0o700)
    handler.emit(logging.LogRecord("x", logging.ERROR, "", 0, "again", (), None))
    handler.close()


@pytest.mark.parametrize(("has_served", "has_room", "state"), [(True, False, "restarting"), (False, False, "failed")])
def test_part_is_not_given_up_for_a_full_disk(tmp_path: Path, has_served: bool, has_room: bool, state: str) -> None:
    one = Child("part", ["false"], lambda: has_served, tmp_path / "out", clock=lambda: 0.0, has_room=lambda: has_room)
    for _ in range(child.MAX_DEATHS):
        one.start()
        if has_served:
            one.state, one._has_served = ChildState.RUNNING, True
        assert one.process is not None
        one.process.wait()
        one.watch()
    assert one.state == state


@pytest.mark.parametrize("left", [0, 1_100_000])
def test_start_on_a_full_disk_names_it_at_once(left: int) -> None:
    with disk("40m") as folder:
        stack = Stack(Home(folder))
        try:
            fill(folder, left)
            done = stack.memo("up")
            assert done.returncode == 1
            assert f"The disk of {folder} is full; free some space." in done.stderr
            make_room(folder)
            stack.ok("up")
        finally:
            stack.end()
