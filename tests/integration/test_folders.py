"""Real folders in which files are written, saved, moved, searched and deleted."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import ROOT, needs_program
from waiting import until
from watchdog.events import FileSystemEventHandler
from watched import watched

from collector.sources.files import inotify
from collector.sources.files.debounce import MINUTE_S
from collector.sources.files.folders import RENEW_S, FoldersSource
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings, SourceSettings

LIMITED = """
import json, subprocess, sys, threading, time
from collector.sources.files.folders import FoldersSource
from memo.core import paths
from memo.protocols import Note, Stop
from memo.core.settings import Settings, SourceSettings

def emit(emitted):
    for line in [emitted.text] if isinstance(emitted, Note) else [event.target for event in emitted.events]:
        print(json.dumps(line), flush=True)

paths.refuse_foreign = lambda path: None  # unless root runs this, the folders above the home belong to nobody here
home, stop = paths.Home.find(), Stop()
source = FoldersSource(Settings(sources=SourceSettings(folders=[sys.argv[1]])), home, renew_s=0.1)
thread = threading.Thread(target=source.run, args=(emit, lambda key: None, stop))
thread.start()
source.watching.wait()
print(json.dumps("watching"), flush=True)
for line in sys.stdin:
    subprocess.run(line, shell=True, check=True)
stop.set()
"""
"""A collector in a user namespace; a line on standard input is a command there."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "Documents"
    made.mkdir()
    return made


def source(
    home: Home, *chosen: Path, limit: int = 30, renew_s: float = RENEW_S, minute_s: float = MINUTE_S
) -> FoldersSource:
    settings = SourceSettings(folders=[str(folder) for folder in chosen], noise_per_minute=limit)
    found = FoldersSource(Settings(sources=settings), home, renew_s, minute_s)
    assert found.missing() == ""
    return found


def sentinel(folder: Path, events: list[Event]) -> list[tuple[str, str]]:
    """Write a file, wait for its event, and return the other events so far."""
    name = f"sentinel-{time.monotonic_ns()}"
    (folder / name).write_text("x")
    until("the last file", lambda: any(event.target == name for event in list(events)))
    return reported(events)


def reported(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.detail, event.target) for event in list(events) if not event.target.startswith("sentinel")]


def test_written_file_is_reported_once(home: Home, folder: Path) -> None:
    with watched(source(home, folder)) as events:
        began = datetime.now(UTC)
        (folder / "a b.txt").write_text("x")
        written = datetime.now(UTC)
        assert sentinel(folder, events) == [(str(folder), "a b.txt")]
    (event,) = (event for event in events if event.target == "a b.txt")
    assert (event.operation, event.app) == (Operation.FILE_SAVE, "")
    assert began.timestamp() - 0.01 < event.at.timestamp() < written.timestamp() + 5


def test_renamed_and_linked_files_are_reported(home: Home, folder: Path, tmp_path: Path) -> None:
    (folder / "edited.txt").write_text("old")
    with watched(source(home, folder)) as events:
        (folder / "saved.txt.a1b2").write_text("new")
        (folder / "saved.txt.a1b2").rename(folder / "saved.txt")
        subprocess.run(["sed", "-i", "s/old/new/", folder / "edited.txt"], check=True)
        (tmp_path / "outside.txt").write_text("x")
        (tmp_path / "outside.txt").rename(folder / "inside.txt")
        (folder / "new/newer").mkdir(parents=True)
        (folder / "new/newer/deep.txt").write_text("x")
        (folder / "passing.txt").write_text("x")
        (folder / "passing.txt").unlink()
        found = sentinel(folder, events)
    expected = [
        (folder, "saved.txt"),
        (folder, "edited.txt"),
        (folder, "inside.txt"),
        (folder / "new/newer", "deep.txt"),
    ]
    assert sorted(found) == sorted((str(place), name) for place, name in expected)


def test_file_that_is_only_opened_for_writing_is_no_save(home: Home, folder: Path) -> None:
    (folder / "read.odt").write_text("a")
    until("it is old", lambda: time.time() > (folder / "read.odt").stat().st_ctime + 3)
    with watched(source(home, folder, minute_s=3.0)) as events:
        with (folder / "read.odt").open("r+"):
            pass
        assert sentinel(folder, events) == []


def test_save_by_vim_is_one_event(home: Home, folder: Path) -> None:
    vim = needs_program("vim.tiny")
    (folder / "letter.txt").write_text("dear")
    with watched(source(home, folder)) as events:
        subprocess.run([vim, "-Nu", "NONE", "-es", "+s/dear/Dear/", "+wq", folder / "letter.txt"], check=True)
        assert sentinel(folder, events) == [(str(folder), "letter.txt")]


def test_files_that_programs_write_are_ignored(home: Home, folder: Path) -> None:
    with watched(source(home, folder, limit=5)) as events:
        for name in (".git/index", "node_modules/a/b.js", "letter.txt~", ".letter.swp"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("x")
        os.mkfifo(folder / "pipe")
        (folder / "link").symlink_to("/etc/passwd")
        (folder / "loop").symlink_to(folder)
        assert sentinel(folder, events) == []
        assert sentinel(folder / "loop", events) == []


def test_noise_in_one_folder_leaves_another_alone(home: Home, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "Other"
    other.mkdir()
    with watched(source(home, folder, other)) as events:
        for number in range(500):
            (folder / f"{number}.txt").write_text("x")
        assert sentinel(other, events) == []


def test_folder_moved_in_reports_none_of_its_files(home: Home, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "album/2020").mkdir(parents=True)
    (tmp_path / "album/2020/photo.jpg").write_text("x")
    with watched(source(home, folder)) as events:
        (tmp_path / "album").rename(folder / "album")
        assert sentinel(folder, events) == []
        (folder / "album").rename(folder / "photos")
        assert sentinel(folder, events) == []
        (folder / "photos/2020/caption.txt").write_text("x")
        assert sentinel(folder, events) == [(str(folder / "photos/2020"), "caption.txt")]


def test_files_of_memo_are_never_reported(home: Home) -> None:
    inside, beside = home.root / "notes.txt", home.root.with_name(f"{home.root.name}-beside")
    beside.mkdir()
    try:
        with watched(source(home, home.root.parent, limit=10_000)) as events:
            inside.write_text("x")
            found = sentinel(beside, events)
    finally:
        shutil.rmtree(beside)
    assert (str(home.root), inside.name) not in found


def test_linked_folder_is_reported_as_it_was_chosen(home: Home, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    with watched(source(home, tmp_path / "link")) as events:
        (folder / "a.txt").write_text("x")
        until("it", lambda: reported(events) == [(str(tmp_path / "link"), "a.txt")])


def test_nested_folder_is_reported_once(home: Home, folder: Path) -> None:
    (folder / "inner").mkdir()
    with watched(source(home, folder, folder / "inner")) as events:
        (folder / "inner/a.txt").write_text("x")
        assert sentinel(folder, events) == [(str(folder / "inner"), "a.txt")]


def test_folder_that_comes_back_is_watched_again(home: Home, folder: Path, tmp_path: Path) -> None:
    steady = tmp_path / "Steady"
    steady.mkdir()
    with watched(source(home, folder, steady, tmp_path / "Later", renew_s=0.1)) as events:
        (tmp_path / "Later").mkdir()
        for away in (lambda: shutil.rmtree(folder), lambda: folder.rename(tmp_path / f"away{time.monotonic_ns()}")):
            away()
            sentinel(steady, events)
            folder.mkdir()
            until("it is watched", lambda: writes_are_reported(folder, events))
        until("the one that came later", lambda: writes_are_reported(tmp_path / "Later", events))


def writes_are_reported(folder: Path, events: list[Event]) -> bool:
    name = f"try-{time.monotonic_ns()}"
    (folder / name).write_text("x")
    time.sleep(1.2)
    return (str(folder), name) in reported(events)


def test_searching_five_thousand_folders_is_no_event(home: Home, folder: Path) -> None:
    for number in range(5_000):
        place = folder / f"{number // 100}/{number}"
        place.mkdir(parents=True)
        (place / "note.txt").write_text("some words")
    with watched(source(home, folder)) as events:
        for _ in range(2):
            subprocess.run(["grep", "-rq", "no such words", folder], check=False)
        (folder / "49/4999/note.txt").write_text("other words")
        assert sentinel(folder, events) == [(str(folder / "49/4999"), "note.txt")]


def test_missing_without_folder_gives_the_remedy(home: Home, tmp_path: Path) -> None:
    def lacks(*chosen: str) -> str:
        return FoldersSource(Settings(sources=SourceSettings(folders=list(chosen))), home).missing()

    assert "sources.folders" in lacks()
    assert "correct" in lacks(str(tmp_path / "absent"))
    assert lacks("~") == ""


@contextmanager
def namespace(folder: Path, begins_with: str = "true") -> Iterator[tuple[Callable[[str], None], Iterator[str]]]:
    """A source in namespaces of its own, in which a command comes first; gives what runs one there, and what it says.

    `{folder}` in a command is the watched folder.
    """
    unshare = needs_program("unshare")
    if subprocess.run([unshare, "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make a user namespace")
    shell = f"{begins_with} && exec {sys.executable} -c '{LIMITED}' {folder}"
    with subprocess.Popen(
        [unshare, "-rm", "sh", "-c", shell], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdin and program.stdout

        def run(command: str) -> None:
            assert program.stdin
            program.stdin.write(command.format(folder=folder) + "\n")
            program.stdin.flush()

        yield run, (json.loads(line) for line in program.stdout)
        program.stdin.close()
        program.stdout.read()  # what it still says
    assert program.returncode == 0


def test_limit_of_watches_is_noted_once_and_its_rise_noticed(home: Home, folder: Path) -> None:
    for number in range(100):
        (folder / f"{number:03}").mkdir()
    limit = "echo {} > /proc/sys/user/max_inotify_watches"
    with namespace(folder, limit.format(50)) as (run, lines):
        assert [next(lines), next(lines)] == [inotify.WATCHES, "watching"]
        (folder / "top.txt").write_text("x")
        assert next(lines) == "top.txt", "watched files are reported, and the limit is noted once"
        run(limit.format(1000))
        assert next(lines) == "", "the limit is no longer reached, and what had no room is watched"
        (folder / "099/late.txt").write_text("x")
        assert next(lines) == "late.txt"


@pytest.mark.parametrize("place", ["", "/a drive"])
def test_a_drive_that_is_mounted_later_is_watched(place: str, home: Home, folder: Path) -> None:
    (folder / "a drive").mkdir()
    with namespace(folder) as (run, lines):
        assert next(lines) == "watching"
        run(f"mount -t tmpfs none '{{folder}}{place}'")
        run(f"for n in 1 2 3 4 5 6 7 8 9; do echo x > '{{folder}}{place}/'$n.txt; sleep 0.5; done")
        assert next(lines).endswith(".txt")


def test_watch_at_limit_raises_with_the_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    with inotify.observe() as observer:
        monkeypatch.setattr(observer, "schedule", refuse)
        with pytest.raises(OSError, match="max_user_watches"):
            inotify.watch(observer, FileSystemEventHandler(), folder, [])


def test_observe_at_limit_raises_with_the_remedy(home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Callable[[], object]:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(inotify, "Observer", refuse)
    with pytest.raises(OSError, match="max_user_instances"), inotify.observe():
        pass
