"""Editing memo.toml: on a copy, which stays until what was typed is in force or taken back."""

import os
import shlex
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import typer

from cli.terminal.output import print_text
from memo.config import settings_file
from memo.core.errors import MemoError, UsageError
from memo.core.files import write_atomically
from memo.core.paths import Home

EDITORS = ("sensible-editor", "nano", "vi")  # if neither VISUAL nor EDITOR names one


def edit(home: Home) -> bool:
    """Edit memo.toml until it is right; return whether it was changed.

    Raises MemoError, which names the copy, if the person gives up or the file cannot be replaced.
    """
    command, copy, before = _editor(), home.run / "memo.toml", settings_file.read_text(home)
    if copy.exists():
        print_text(f"You go on with what you typed before; to begin again, delete {copy} first.")
    else:
        write_atomically(copy, before)
    while True:
        _run(command, copy)
        text = _read(copy)
        if text == before:
            copy.unlink()
            print_text("Nothing was changed.")
            return False
        try:
            settings_file.save(home, before, text)
        except UsageError as error:
            print_text(str(error))
            _ask_again(copy)
        except MemoError as error:
            raise MemoError(f"{error} What you typed is kept in {copy}.") from error
        else:
            copy.unlink()
            print_text(f"{home.config} is changed.")
            return True


def _editor() -> list[str]:
    """Return the command of the editor. Raises UsageError if there is none."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    found = named or next((name for name in EDITORS if shutil.which(name)), "")
    try:
        command = shlex.split(found)
    except ValueError:
        command = []
    if not command or not shutil.which(command[0]):
        raise UsageError(f"The editor {found or 'vi'} is not installed; name one in the variable EDITOR.")
    return command


def _run(command: list[str], copy: Path) -> None:
    status = subprocess.run([*command, str(copy)], check=False).returncode
    if status:
        raise MemoError(f"{command[0]} failed (status {status}), so nothing was changed; what you typed is in {copy}.")


def _read(copy: Path) -> str:
    try:
        return copy.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MemoError(f"Cannot read {copy} ({error}), so nothing was changed.") from error


def _ask_again(copy: Path) -> None:
    """Ask whether to go on editing; raise MemoError if not, or if nobody answers."""
    with suppress(typer.Abort):
        if typer.confirm("Edit again?", default=True, err=True):
            return
    raise MemoError(f"Nothing was changed; what you typed is kept in {copy}, and `memo config edit` goes on with it.")
