"""No process of MEMO runs code of the folder in which it was started, or of the caller's PYTHONPATH."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from stack import MEMO
from waiting import WAIT_S

from memo.core.paths import Home
from memo.stack.process_specs import BROKER, PARTS
from memo.stack.spawn import PARENT, child_environment, python_command

ROOMS = ("cli", "collector", "data", "db", "forget", "memo", "scheduler", "training", "ui", "worker")
CHILDREN = {
    **{part.name: part.command for part in (BROKER, *PARTS)},
    "supervisor": python_command("memo.stack.supervisor", "--help"),
    "training": python_command("training"),
    "judged version": python_command("training.apart"),
    "upkeep": python_command("scheduler"),
    "replay": python_command("data.replay", "day.txt"),
    "handler": python_command("worker.dispatch.handler_main", "log"),
    "inspection": python_command("collector.launch.inspection"),
    "idle probe": python_command("collector.sources.wayland.idle_probe", "wayland-0", "1000"),
    "toplevel probe": python_command("collector.sources.wayland.toplevel_probe", "wayland-0"),
    "toplevel list": python_command("collector.sources.wayland.toplevel_list", "wayland-0"),
}
DETACHED = {"cli.pick.preloaded", "memo", "ui"}  # they outlive their parent, or are started by the desktop
PLANTED = "planted code ran"


def plant(folder: Path, *, packages: tuple[str, ...] = ROOMS) -> Path:
    """Make a folder in which each package is a program that says so and ends."""
    for package in packages:
        (folder / package).mkdir(parents=True)
        for name in ("__init__.py", "__main__.py"):
            (folder / package / name).write_text(f"raise SystemExit({PLANTED!r})\n")
    (folder / "sitecustomize.py").write_text(f"print({PLANTED!r}, flush=True)\n")
    return folder


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Such a folder, which is also the caller's PYTHONPATH."""
    folder = plant(tmp_path / "planted")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("PYTHONSTARTUP", str(folder / "sitecustomize.py"))
    return folder


@pytest.mark.parametrize("name", CHILDREN)
def test_child_runs_no_code_of_the_caller(name: str, home: Home, planted: Path) -> None:
    nobody = {PARENT: "0"}  # the child ends as soon as it has compared this with its parent
    near, far = socket.socketpair()  # the standard input of a handler's process is a socket
    with near, far:
        done = subprocess.run(
            CHILDREN[name],
            cwd=planted,
            env=child_environment() | nobody,
            stdin=far.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
    assert PLANTED not in done.stdout
    expected = "usage: python -m memo.stack.supervisor" if name == "supervisor" else "The parent process died"
    assert done.stdout.startswith(expected), done.stdout


def sources() -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for room in ROOMS for path in (ROOT / room).rglob("*.py")}


def test_children_listed_here_are_all_that_exist() -> None:
    named = re.findall(r"(?:python_command|run_probe|Background)\(\s*\"([\w.]+)\"", "\n".join(sources().values()))
    started = {*named, *(part.module for part in (BROKER, *PARTS))}
    assert started == {command[command.index("-m") + 1] for command in CHILDREN.values()} | DETACHED


@pytest.mark.parametrize(
    "path", [path for path, source in sources().items() if "subprocess" in source], ids=lambda path: path.stem
)
def test_modules_that_start_python_use_spawn(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert "sys.executable" not in source
    if "python_command(" in source and "Popen(" in source:
        assert "env=child_environment()" in source


@pytest.mark.parametrize("command", [[MEMO], [sys.executable, "-m", "memo"]], ids=["script", "module"])
def test_memo_command_uses_its_own_modules(command: list[str | Path], home: Home, tmp_path: Path) -> None:
    folder = plant(tmp_path / "scripts", packages=tuple(room for room in ROOMS if room != "memo"))
    (folder / "sitecustomize.py").unlink()
    for room in ROOMS:
        if room != "memo":
            (folder / f"{room}.py").write_text(f"raise SystemExit({PLANTED!r})\n")
    environment = os.environ | {"PYTHONPATH": str(folder)}
    for words in (["--version"], ["status"], ["sources"]):
        done = subprocess.run(
            [*command, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=WAIT_S, check=False
        )
        assert (done.returncode, PLANTED in done.stdout + done.stderr) == (0, False), done.stderr


def test_child_environment_keeps_what_launched_apps_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/of/the/person")
    assert child_environment()["PYTHONPATH"] == "/of/the/person"
