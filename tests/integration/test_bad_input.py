"""Every command answers a bad file with one sentence that names it, and stores, trains and starts nothing."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import logging_restored
from sqlalchemy import text
from stores import make_store

from cli import main
from db.engine import open_store
from memo.core.paths import Home
from memo.core.settings import Settings

COMMANDS = {
    "import": ["import"],
    "train": ["train"],
    "evaluate": ["evaluate", "--version", "builtin"],
    "predict": ["predict"],
    "up": ["up", "--foreground", "--for", "1", "--replay"],
}
ANSWERED = {"a line of 10 MB", "events of 1970", "events of 2100"}
"""Files that `memo predict` answers: it reports errors window by window, and stores nothing, so any time will do."""


def lines(year: int) -> bytes:
    return "".join(f"{year}-01-01 09:00:{second:02} - Started app: a\n" for second in range(3)).encode()


FILES: dict[str, tuple[str, bytes]] = {
    "an empty file": ("a.txt", b""),
    "an empty JSON": ("a.json", b""),
    "JSON of another kind": ("a.json", json.dumps({"a": 1}).encode()),
    "JSON that is cut": ("a.json", b'[{"input": "head'),
    "JSON too deep": ("a.json", b"[" * 100_000),
    "no windows": ("a.json", b"[]"),
    "JSON that is not UTF-8": ("a.json", b'[{"input": "\xff", "output": ""}]'),
    "lines that are not UTF-8": ("a.txt", b"2026-03-02 09:00:00 - Started app: \xff\n"),
    "a line of 10 MB": ("a.txt", b"x" * 10_000_000),
    "events of 1970": ("a.txt", lines(1970)),
    "events of 2100": ("a.txt", lines(2100)),
}


@pytest.fixture
def memo(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Call a command that fails, and return its message."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["memo", *words])
        with logging_restored(), pytest.raises(SystemExit) as ended:
            main()
        message = capsys.readouterr().err.splitlines()
        assert ended.value.code in (1, 2), message
        assert "unexpectedly" not in message[-1], message
        return message[-1]

    return call


def nothing_was_done(home: Home) -> bool:
    settings = Settings.load()
    make_store(settings, home)
    store = open_store(settings, home)
    with store.read() as session:
        stored = session.scalar(text("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM versions)"))
    store.close()
    return not stored and not any(home.models.iterdir()) and not any(home.run.iterdir())


@pytest.mark.parametrize(
    ("command", "what"),
    [(command, what) for command in COMMANDS for what in FILES if command != "predict" or what not in ANSWERED],
)
def test_command_on_a_bad_file_names_it(command: str, what: str, home: Home, memo: Callable[..., str]) -> None:
    name, content = FILES[what]
    Path(name).write_bytes(content)
    message = memo(*COMMANDS[command], name)
    assert name in message
    assert Path(name).read_bytes() == content
    assert nothing_was_done(home)


def make_loop(name: str) -> None:
    Path(name).symlink_to(name)


PLACES: dict[str, Callable[[str], None]] = {
    "nothing": lambda name: None,
    "a folder": os.mkdir,
    "a pipe": os.mkfifo,
    "a link to itself": make_loop,
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", PLACES)
def test_command_on_no_regular_file_names_it(command: str, what: str, home: Home, memo: Callable[..., str]) -> None:
    PLACES[what]("a.txt")
    assert memo(*COMMANDS[command], "a.txt").startswith("a.txt ")
    assert nothing_was_done(home)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_on_an_unreadable_file_names_it(
    command: str, home: Home, memo: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.txt").write_bytes(lines(2020))
    really = os.open

    def refuse(path: Any, *given: Any, **more: Any) -> int:
        if str(path) == "a.txt":
            raise PermissionError(13, "Permission denied")
        return really(path, *given, **more)

    monkeypatch.setattr(os, "open", refuse)  # root may read any file
    monkeypatch.setattr(os, "access", lambda path, _: str(path) != "a.txt")
    message = memo(*COMMANDS[command], "a.txt")
    assert message == "a.txt can't be read (Permission denied); name an existing file that you may read."


@pytest.mark.parametrize("given", ["folder", "rows.csv"])
def test_predict_on_neither_line_nor_file_names_it(given: str, memo: Callable[..., str]) -> None:
    assert memo("predict", given).startswith(f"{given} can't be read (the line does not begin with ")


@pytest.mark.parametrize("command", COMMANDS)
def test_command_on_too_long_a_name_names_it(command: str, home: Home, memo: Callable[..., str]) -> None:
    name = "x" * 300 + ".txt"
    assert memo(*COMMANDS[command], name).startswith(name)


@pytest.mark.parametrize("command", ["import", "train", "up"])
def test_command_on_a_newer_store_leaves_it_unchanged(command: str, home: Home, memo: Callable[..., str]) -> None:
    Path("a.txt").write_bytes(lines(2020))
    settings = Settings.load()
    make_store(settings, home)
    store = open_store(settings, home)
    with store.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    before = (home.root / "memo.db").read_bytes()
    assert "was written by a newer MEMO (schema 9999); update MEMO" in memo(*COMMANDS[command], "a.txt")
    assert (home.root / "memo.db").read_bytes() == before


@pytest.mark.parametrize("speed", ["nan", "inf", "-1", "fast"])
def test_up_with_impossible_speed_starts_nothing(speed: str, home: Home, memo: Callable[..., str]) -> None:
    Path("a.txt").write_bytes(lines(2020))
    memo("up", "--replay", "a.txt", "--speed", speed)
    assert nothing_was_done(home)


@pytest.mark.parametrize("out", ["nowhere/a.csv", "nowhere/a.jsonl", "folder.csv"])
def test_predict_out_that_cannot_be_written_fails(out: str, memo: Callable[..., str]) -> None:
    Path("a.txt").write_bytes(lines(2020))
    Path("folder.csv").mkdir()
    assert memo("predict", "a.txt", "--force", "--out", out).startswith(f"{out} can't be written (")


def test_evaluate_out_that_cannot_be_written_fails_first(
    memo: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.txt").write_bytes(lines(2020))
    assert memo("evaluate", "a.txt", "--out", "nowhere/a.csv").startswith("The folder of nowhere/a.csv does not exist")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    assert memo("evaluate", "a.txt", "--out", "a.csv").startswith("a.csv can't be written")
