"""A real folder, in which files are written, saved, moved, searched and thrown away."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import ROOT, needs_program
from watchdog.events import FileSystemEventHandler
from watched import until, watched

from collector.sources.files import folders, inotify
from collector.sources.files.folders import FoldersSource
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings, SourceSettings

LIMITED = """
import json, sys, threading, time
from pathlib import Path
from collector.sources.files import folders
from memo.core.paths import Home
from memo.protocols import Note, Stop
from memo.core.settings import Settings, SourceSettings

def emit(given):
    for said in [given.says] if isinstance(given, Note) else [event.target for event in given.events]:
        print(json.dumps(said), flush=True)

folders.RENEW_S = 0.1
home, stop = Home.find(), Stop()
source = folders.FoldersSource(Settings(sources=SourceSettings(folders=[sys.argv[1]])), home)
thread = threading.Thread(target=source.run, args=(emit, lambda key: None, stop))
thread.start()
source.watching.wait()
print(json.dumps("watching"), flush=True)
for line in sys.stdin:
    Path("/proc/sys/user/max_inotify_watches").write_text(line)
stop.set()
"""
"""A collector in a user namespace, whose limit its standard input sets."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "Documents"
    made.mkdir()
    return made


def source(home: Home, *chosen: Path, most: int = 30) -> FoldersSource:
    settings = SourceSettings(folders=[str(one) for one in chosen], noise_per_minute=most)
    found = FoldersSource(Settings(sources=settings), home)
    assert found.missing() == ""
    return found


def sentinel(folder: Path, events: list[Event]) -> list[tuple[str, str]]:
    """What was told before a file that is written now."""
    name = f"sentinel-{time.monotonic_ns()}"
    (folder / name).write_text("x")
    until("the last file", lambda: any(event.target == name for event in list(events)))
    return told(events)


def told(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.detail, event.target) for event in list(events) if not event.target.startswith("sentinel")]


def test_a_file_that_is_written_is_told_once(home: Home, folder: Path) -> None:
    with watched(source(home, folder)) as events:
        began = datetime.now(UTC)
        (folder / "a b.txt").write_text("x")
        written = datetime.now(UTC)
        assert sentinel(folder, events) == [(str(folder), "a b.txt")]
    (event,) = (event for event in events if event.target == "a b.txt")
    assert (event.operation, event.app) == (Operation.FILE_ACCESS, "")
    assert began.timestamp() - 0.01 < event.at.timestamp() < written.timestamp() + 5


def test_however_a_file_gets_its_name_that_is_told(home: Home, folder: Path, tmp_path: Path) -> None:
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


def test_vim_saves_a_file_as_one_act(home: Home, folder: Path) -> None:
    vim = needs_program("vim.tiny")
    (folder / "letter.txt").write_text("dear")
    with watched(source(home, folder)) as events:
        subprocess.run([vim, "-Nu", "NONE", "-es", "+s/dear/Dear/", "+wq", folder / "letter.txt"], check=True)
        assert sentinel(folder, events) == [(str(folder), "letter.txt")]


def test_what_programs_write_is_not_told(home: Home, folder: Path) -> None:
    with watched(source(home, folder, most=5)) as events:
        for name in (".git/index", "node_modules/a/b.js", "letter.txt~", ".letter.swp"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("x")
        os.mkfifo(folder / "pipe")
        (folder / "link").symlink_to("/etc/passwd")
        (folder / "loop").symlink_to(folder)
        assert sentinel(folder, events) == []
        assert sentinel(folder / "loop", events) == []


def test_many_files_at_once_are_noise_and_another_folder_is_heard(home: Home, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "Other"
    other.mkdir()
    with watched(source(home, folder, other)) as events:
        for number in range(500):
            (folder / f"{number}.txt").write_text("x")
        assert sentinel(other, events) == []


def test_a_folder_that_is_moved_in_tells_none_of_its_files(home: Home, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "album/2020").mkdir(parents=True)
    (tmp_path / "album/2020/photo.jpg").write_text("x")
    with watched(source(home, folder)) as events:
        (tmp_path / "album").rename(folder / "album")
        assert sentinel(folder, events) == []
        (folder / "album").rename(folder / "photos")
        assert sentinel(folder, events) == []
        (folder / "photos/2020/caption.txt").write_text("x")
        assert sentinel(folder, events) == [(str(folder / "photos/2020"), "caption.txt")]


def test_files_of_memo_are_never_told(home: Home) -> None:
    inside, beside = home.root / "notes.txt", home.root.with_name(f"{home.root.name}-beside")
    beside.mkdir()
    try:
        with watched(source(home, home.root.parent, most=10_000)) as events:
            inside.write_text("x")
            found = sentinel(beside, events)
    finally:
        shutil.rmtree(beside)
    assert (str(home.root), inside.name) not in found


def test_a_folder_behind_a_link_is_told_as_it_was_chosen(home: Home, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    with watched(source(home, tmp_path / "link")) as events:
        (folder / "a.txt").write_text("x")
        until("it", lambda: told(events) == [(str(tmp_path / "link"), "a.txt")])


def test_a_folder_within_another_is_told_once(home: Home, folder: Path) -> None:
    (folder / "inner").mkdir()
    with watched(source(home, folder, folder / "inner")) as events:
        (folder / "inner/a.txt").write_text("x")
        assert sentinel(folder, events) == [(str(folder / "inner"), "a.txt")]


def test_a_folder_that_vanishes_is_watched_again_when_it_is_back(
    home: Home, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "RENEW_S", 0.1)
    steady = tmp_path / "Steady"
    steady.mkdir()
    with watched(source(home, folder, steady, tmp_path / "Later")) as events:
        (tmp_path / "Later").mkdir()
        for away in (lambda: shutil.rmtree(folder), lambda: folder.rename(tmp_path / f"away{time.monotonic_ns()}")):
            away()
            sentinel(steady, events)
            folder.mkdir()
            until("it is watched", lambda: writes_are_told(folder, events))
        until("the one that came later", lambda: writes_are_told(tmp_path / "Later", events))


def writes_are_told(folder: Path, events: list[Event]) -> bool:
    name = f"try-{time.monotonic_ns()}"
    (folder / name).write_text("x")
    time.sleep(1.2)
    return (str(folder), name) in told(events)


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


def test_without_a_folder_it_says_what_to_do(home: Home, tmp_path: Path) -> None:
    def lacks(*chosen: str) -> str:
        return FoldersSource(Settings(sources=SourceSettings(folders=list(chosen))), home).missing()

    assert "sources.folders" in lacks()
    assert "mend" in lacks(str(tmp_path / "absent"))
    assert lacks("~") == ""


def test_the_limit_of_watches_is_said_once_and_its_rise_is_noticed(home: Home, folder: Path) -> None:
    unshare = needs_program("unshare")
    if subprocess.run([unshare, "-r", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make a user namespace")
    for number in range(100):
        (folder / f"{number:03}").mkdir()
    shell = f"echo 50 > /proc/sys/user/max_inotify_watches && exec {sys.executable} -c '{LIMITED}' {folder}"
    with subprocess.Popen(
        [unshare, "-r", "sh", "-c", shell], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdin and program.stdout
        said = (json.loads(line) for line in program.stdout)
        assert [next(said), next(said)] == [inotify.WATCHES, "watching"]
        (folder / "top.txt").write_text("x")
        assert next(said) == "top.txt", "what is watched is told, and the limit is said once"
        program.stdin.write("1000\n")
        program.stdin.flush()
        assert next(said) == "", "the limit is no longer reached, and what had no room is watched"
        (folder / "099/late.txt").write_text("x")
        assert next(said) == "late.txt"
        program.stdin.close()
    assert program.returncode == 0


def test_where_one_folder_alone_is_watched_the_limit_is_said_with_its_remedy(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    with inotify.observing() as observer:
        monkeypatch.setattr(observer, "schedule", refuse)
        with pytest.raises(OSError, match="max_user_watches"):
            inotify.watch(observer, FileSystemEventHandler(), folder, [])


def test_the_limit_of_instances_is_said_with_its_remedy(
    home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Callable[[], object]:
        raise OSError(24, "inotify instance limit reached")

    monkeypatch.setattr(inotify, "Observer", refuse)
    with pytest.raises(OSError, match="max_user_instances"), inotify.observing():
        pass
