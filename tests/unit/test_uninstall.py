"""`memo uninstall`: everything of MEMO's goes, and nothing else."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from cli.stack.uninstall import uninstall
from memo.config import settings_file
from memo.core.paths import Home
from memo.service import owned_file, startup_files

Memo = Callable[..., Result]


@pytest.fixture
def memo(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Memo]:
    """`memo uninstall` with these words, of a person without systemd."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    app = Typer()
    app.command()(uninstall)
    yield lambda *words, typed="": CliRunner().invoke(app, words, input=typed)
    home.root.mkdir(exist_ok=True)  # as `home` deletes it


def used(home: Home) -> None:
    """A home after some use."""
    settings_file.write_default(home)
    for name in ("memo.db", "memo.db-wal", "dispatched.jsonl", "dispatched.jsonl.1", "paused", "logs/a.log"):
        (home.root / name).write_text("x" * 2_000_000)
    for folder in (home.broker, home.backups, home.damaged, home.in_memory):
        folder.mkdir(exist_ok=True)
        (folder / "file").touch()
    owned_file.install(startup_files.autostart_file(), "[Desktop Entry]\n")


def test_everything_of_memos_is_listed_and_deleted(memo: Memo, home: Home) -> None:
    used(home)
    done = memo("--yes")
    assert done.exit_code == 0, done.output
    assert f"2.0 MB  {home.root}/logs" in done.output and f"  {startup_files.autostart_file()}" in done.output
    assert not home.root.exists() and not startup_files.autostart_file().exists()
    assert not any(place.exists() for place in home._places_in_memory())


@pytest.mark.parametrize("typed", ["n\n", ""])
def test_without_a_yes_everything_stays(memo: Memo, home: Home, typed: str) -> None:
    used(home)
    before = sorted(home.root.rglob("*"))
    assert memo(typed=typed).exit_code != 0
    assert sorted(home.root.rglob("*")) == before and startup_files.autostart_file().exists()


def test_what_memo_did_not_make_stays(memo: Memo, home: Home, tmp_path: Path) -> None:
    used(home)
    (home.inbox / "mine.log").write_text("2026-03-02 09:00:00 - Started app: A\n")
    (home.root / "thesis.odt").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").touch()
    home.models.rmdir()
    home.models.symlink_to(tmp_path / "elsewhere")
    assert f"{home.root} stays, with files that are not MEMO's: inbox, thesis.odt." in memo("--yes").output
    assert sorted(os.listdir(home.root)) == ["inbox", "thesis.odt"]
    assert (home.inbox / "mine.log").exists() and (tmp_path / "elsewhere" / "precious").exists()


def test_a_home_that_holds_the_persons_files_is_refused(
    memo: Memo, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    used(home)
    monkeypatch.setenv("HOME", str(home.root / "person"))
    assert memo("--yes").exit_code != 0
    assert (home.root / "memo.db").exists()


def test_a_service_file_that_was_changed_stops_it(memo: Memo, home: Home) -> None:
    used(home)
    startup_files.autostart_file().write_text("mine")
    assert memo("--yes").exit_code != 0
    assert (home.root / "memo.db").exists() and startup_files.autostart_file().read_text() == "mine"
