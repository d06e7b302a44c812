"""`memo service`: have MEMO start with the desktop and run in the background."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import typer

from cli.stack.down import down
from cli.terminal.options import Json
from cli.terminal.output import print_json, print_text
from memo.config import settings_file
from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.service import owned_file, startup_files
from memo.service.startup_files import UNIT, autostart_file, find_installed, unit_file
from memo.stack import running
from memo.stack.spawn import python_command

START_S = 120.0  # longest wait for systemd to start or stop MEMO
ANSWER_S = 10.0  # longest wait for any other answer of systemd

app = typer.Typer(help="Run MEMO in the background in every desktop session.", no_args_is_help=True)


@app.command()
def install() -> None:
    """Start MEMO with each graphical session.

    With systemd, MEMO also starts now. Without it, XDG autostart starts MEMO from the next login on.
    """
    home, chosen = Home.find(), os.environ.get("MEMO_HOME", "") and str(Home.find().root)
    Settings.load()  # a service that can't read them would fail later, where nobody sees it
    settings_file.write_default(home)
    if not _has_systemd():
        owned_file.install(autostart_file(), startup_files.autostart_text(python_command("memo", "up"), chosen))
        print_text(f"{autostart_file()} starts MEMO with your next session; `memo up` starts it now.")
        return
    owned_file.install(unit_file(), startup_files.unit_text(python_command("memo", "up", "--foreground"), chosen))
    if running.holder(home):
        down()
    _systemctl("daemon-reload")
    _systemctl("enable", UNIT)
    _systemctl("restart", UNIT, limit_s=START_S)
    print_text(f"{unit_file()} is installed, and MEMO runs; it starts with each graphical session.")


@app.command()
def uninstall() -> None:
    """Remove what `memo service install` wrote, and stop the service; stored data stays."""
    removed = []
    if os.path.lexists(unit_file()):
        owned_file.refuse_changed(unit_file())  # before anything is stopped
        if _has_systemd():
            _systemctl("disable", "--now", UNIT, limit_s=START_S)
        owned_file.remove(unit_file())
        _remove_link()
        removed.append(unit_file())
        if _has_systemd():
            _systemctl("daemon-reload")
    if owned_file.remove(autostart_file()):
        removed.append(autostart_file())
    if not removed:
        print_text("No service is installed.")
    for path in removed:
        print_text(f"{path} is removed.")
    if pid := running.holder(Home.find()):
        print_text(f"MEMO still runs (process {pid}); `memo down` stops it.")


@app.command()
def status(as_json: Json = False) -> None:
    """Show whether the service is installed, starts with the session, and runs."""
    installed = find_installed()
    found: dict[str, Any] = {
        "installed": [str(path) for path in installed],
        "changed": [str(path) for path in installed if not owned_file.is_ours(path)],
        "systemd": _state() if unit_file().exists() and _has_systemd() else None,
        "process": running.holder(Home.find()),
    }
    if as_json:
        print_json(found)
        return
    print_text(f"installed  {', '.join(found['installed'] or ['no; `memo service install` does that'])}")
    if found["changed"]:
        print_text(f"changed    {', '.join(found['changed'])} since MEMO wrote it, so MEMO does not remove it")
    if found["systemd"]:
        print_text(f"systemd    {found['systemd']}")
    print_text(f"MEMO       {'runs, process ' + str(found['process']) if found['process'] else 'does not run'}")


def _remove_link() -> None:
    """Delete the link that `systemctl enable` made if it is still there, as it is where systemd no longer runs."""
    link = unit_file().parent / "graphical-session.target.wants" / UNIT
    if link.is_symlink() and os.readlink(link) == str(unit_file()):
        link.unlink()


def _has_systemd() -> bool:
    """Return whether a user manager of systemd runs for this person."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return bool(runtime and shutil.which("systemctl") and (Path(runtime) / "systemd" / "private").exists())


def _state() -> str:
    """Return what systemd says of the unit, such as "enabled, active"."""
    return ", ".join(_call(word, UNIT, limit_s=ANSWER_S).stdout.strip() for word in ("is-enabled", "is-active"))


def _systemctl(*words: str, limit_s: float = ANSWER_S) -> None:
    """Run `systemctl --user` with these arguments. Raises MemoError with systemd's message if it fails."""
    done = _call(*words, limit_s=limit_s)
    if done.returncode:
        raise MemoError(
            f"`systemctl --user {' '.join(words)}` failed ({' '.join(done.stderr.split())}); "
            f"see `journalctl --user -u {UNIT}`."
        )


def _call(*words: str, limit_s: float) -> "subprocess.CompletedProcess[str]":
    command = ["systemctl", "--user", *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise MemoError(f"`{' '.join(command)}` did not end within {limit_s:.0f} s; see `memo status`.") from error
    except OSError as error:
        raise UsageError(f"systemctl can't be run ({error.strerror}); start MEMO with `memo up` instead.") from error
