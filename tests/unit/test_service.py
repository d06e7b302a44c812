"""`memo service`: the files that it writes and removes, what it asks of systemd, and what systemd is told."""

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from configparser import RawConfigParser
from pathlib import Path

import pytest
from conftest import needs_program
from typer.testing import CliRunner
from waiting import WAIT_S

from cli.stack.service import app
from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home
from memo.service import owned_file, startup_files
from memo.service.service_manager import Notifier

Memo = Callable[..., str]
EXPOSURE = 3.8  # at most; docs/service.md explains each point
SYSTEMCTL = """#!{python}
import pathlib, sys
with pathlib.Path({log!r}).open("a") as file:
    print(*sys.argv[1:], file=file)
print({{"is-active": "active", "is-enabled": "enabled"}}.get(sys.argv[2], ""))
if sys.argv[2] in {fails!r}:
    sys.exit("No such\\nthing")
"""


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person without systemd, with a configuration folder of their own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


@pytest.fixture
def memo(home: Home) -> Memo:
    """`memo service` with these words; returns what it prints, and raises its errors."""

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        return done.output

    return run


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Callable[[], list[str]]]:
    """A user manager whose `systemctl` notes what it is asked; returns a reader of that."""

    def use(*fails: str) -> Callable[[], list[str]]:
        log, program = tmp_path / "asked", tmp_path / "bin" / "systemctl"
        for folder in (program.parent, tmp_path / "run" / "systemd" / "private"):
            folder.mkdir(parents=True)
        program.write_text(SYSTEMCTL.format(python=sys.executable, log=str(log), fails=fails))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
        return lambda: log.read_text().splitlines() if log.exists() else []

    return use


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_without_systemd_an_autostart_entry_is_written(memo: Memo, home: Home, tmp_path: Path) -> None:
    assert "autostart/memo.desktop starts MEMO with your next session" in memo("install")
    entry = RawConfigParser()
    entry.optionxform = str  # type: ignore[assignment,method-assign]
    entry.read(startup_files.autostart_file(), encoding="utf-8")
    words = shlex.split(entry["Desktop Entry"]["Exec"])
    assert words == ["env", f"MEMO_HOME={home.root}", sys.executable, "-E", "-P", "-m", "memo", "up"]
    assert entry["Desktop Entry"]["Type"] == "Application"
    assert files(tmp_path / "config") == ["autostart/memo.desktop"]
    memo("uninstall")
    assert files(tmp_path / "config") == []
    assert memo("uninstall") == "No service is installed.\n"


def test_with_systemd_a_unit_is_written_and_started(
    memo: Memo, systemctl: Callable[..., Callable[[], list[str]]]
) -> None:
    asked = systemctl()
    memo("install")
    assert asked() == ["--user daemon-reload", "--user enable memo.service", "--user restart memo.service"]
    assert not startup_files.autostart_file().exists()
    assert "systemd    enabled, active" in memo("status")
    memo("uninstall")
    assert asked()[-2:] == ["--user disable --now memo.service", "--user daemon-reload"]
    assert not startup_files.unit_file().exists()


def test_without_systemd_the_link_to_the_unit_goes_too(memo: Memo, tmp_path: Path) -> None:
    unit = startup_files.unit_file()
    owned_file.install(unit, startup_files.unit_text(["/bin/true"], ""))
    wants = unit.parent / "graphical-session.target.wants"
    wants.mkdir()
    (wants / unit.name).symlink_to(unit)
    (wants / "other.service").symlink_to("/other.service")
    memo("uninstall")
    assert files(tmp_path / "config") == ["systemd/user/graphical-session.target.wants/other.service"]


def test_what_systemd_refuses_is_said(memo: Memo, systemctl: Callable[..., Callable[[], list[str]]]) -> None:
    systemctl("enable")
    with pytest.raises(MemoError, match=r"enable memo.service` failed \(No such thing\); see `journalctl"):
        memo("install")


@pytest.mark.parametrize("change", [lambda text: text + "#\n", lambda text: "", lambda text: text.replace("MEMO", "X")])
def test_a_changed_file_is_neither_replaced_nor_removed(
    memo: Memo, systemctl: Callable[..., Callable[[], list[str]]], change: Callable[[str], str]
) -> None:
    asked = systemctl()
    memo("install")
    before, unit = asked(), startup_files.unit_file()
    unit.write_text(changed := change(unit.read_text()))
    for word in ("install", "uninstall"):
        with pytest.raises(MemoError, match="is not as MEMO wrote it and is left as it is"):
            memo(word)
    assert unit.read_text() == changed and asked() == before
    assert "changed" in memo("status")


def test_a_link_is_not_ours(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    owned_file.install(real, "text\n")
    link.symlink_to(real)
    assert owned_file.is_ours(real) and not owned_file.is_ours(link)


@pytest.mark.parametrize("home", ["", '/a b/%h $x/"q"/\\back/`c`/日本'])
def test_hostile_paths_stay_one_word(home: str) -> None:
    entry = startup_files.autostart_text(["/usr/bin/python"], home)
    [line] = [line for line in entry.splitlines() if line.startswith("Exec=")]
    value = line.removeprefix("Exec=").replace("%%", "%").replace("\\\\", "\\")
    words = [quoted or plain for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', value)]
    assert [re.sub(r"\\(.)", r"\1", word) for word in words] == (["env", f"MEMO_HOME={home}"] if home else []) + [
        "/usr/bin/python"
    ]
    assert startup_files.unit_text(["/a $b"], home).count('ExecStart="/a $$b"\n') == 1
    with pytest.raises(UsageError, match="characters that a start file can't hold"):
        startup_files.unit_text(["/bin/true"], "/a\nExecStartPre=/bin/evil")


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The unit as it would be installed, below a path that needs quotes."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = tmp_path / startup_files.UNIT
    path.write_text(startup_files.unit_text([sys.executable, "-m", "memo"], f"{tmp_path}/a b %"), encoding="utf-8")
    return path


def analyze(*words: str) -> "subprocess.CompletedProcess[str]":
    program = needs_program("systemd-analyze")
    return subprocess.run([program, "--user", *words], capture_output=True, text=True, timeout=WAIT_S, check=False)


def test_the_unit_verifies_without_a_word(unit: Path) -> None:
    done = analyze("verify", str(unit))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_unit_is_as_hardened_as_documented(unit: Path) -> None:
    report = analyze("--offline=yes", "security", str(unit)).stdout
    exposure = float(report.rpartition("memo.service: ")[2].split()[0])
    assert exposure <= EXPOSURE, report


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(10)
        yield receiver


def test_a_notifier_is_taken_once_from_the_environment(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    notifier = Notifier.take()
    assert {"NOTIFY_SOCKET", "WATCHDOG_USEC"}.isdisjoint(os.environ)
    assert notifier and not Notifier.take()
    notifier.send("WATCHDOG=1\nSTATUS=worker running")
    assert manager.recv(99) == b"WATCHDOG=1\nSTATUS=worker running"


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0memo-test-{os.getpid()}")
        Notifier(f"@memo-test-{os.getpid()}").send("READY=1")
        assert receiver.recv(99) == b"READY=1"


def test_a_manager_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "gone")).send("READY=1")
    Notifier().send("READY=1")
