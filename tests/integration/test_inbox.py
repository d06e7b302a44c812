import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from waiting import WAIT_S, until

from collector import intake
from collector.collector import SourceRunner
from collector.intake import MAX_STORED_LINES, Intake
from collector.source_status import SourceStates
from collector.sources.files.inotify import SCAN_S
from collector.sources.inbox import inbox as inbox_source
from collector.sources.inbox.inbox import InboxSource
from db.engine import Store
from db.intake import events, redactions, scopes
from memo.core import logs
from memo.core.events import Event, Operation
from memo.core.grammar import MAX_LINE
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Stop

SCOPE = "ada@host"


class RecordingIntake(Intake):
    """An intake that records what it has stored, and may fail once."""

    def __init__(self, store: Store, settings: Settings, home: Home, announce: Callable[[str], None]) -> None:
        super().__init__(store, settings, home, announce)
        self.is_failing = False
        self.change = threading.Condition()
        self.stored: list[str] = []

    def store_batches(self, source: str, *batches: Batch) -> int:
        if self.is_failing:
            self.is_failing = False
            raise ConnectionError("the store is away")
        new = super().store_batches(source, *batches)
        with self.change:
            self.stored += [event.source_key for batch in batches for event in batch.events]
            self.change.notify_all()
        return new


class Inbox:
    """The inbox, collected into a real store; may be stopped and started again."""

    def __init__(self, store: Store, settings: Settings, home: Home) -> None:
        self.folder = home.inbox
        self.asked: list[str] = []
        self._store, self._settings, self._home = store, settings, home
        self._ends = 0

    def start(self, scan_s: float = SCAN_S) -> None:
        source = InboxSource(self._settings, self._home, scan_s)
        self.intake = RecordingIntake(self._store, self._settings, self._home, self.asked.append)
        self._stop = Stop()
        states = SourceStates(self._home)
        runner = SourceRunner(self.intake, states, self._stop, (0.0, 0.0))
        self._thread = threading.Thread(target=runner.keep_running, args=(source,))
        self._thread.start()
        assert source.watching.wait(WAIT_S)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()

    def restart(self) -> None:
        self.stop()
        self.start()

    def events(self) -> list[Event]:
        """Return all events by scope and `seq`, once everything written so far has been read."""
        self._ends += 1
        name = f"~end {self._ends}"
        (self.folder / name).write_text(text([f"!{self._ends}"]))
        with self.intake.change:
            read = self.intake.change.wait_for(lambda: name in self.intake.stored, WAIT_S)
        assert read, "the inbox no longer reads"
        with self._store.read() as session:
            rows = [
                row
                for scope in sorted(scopes.find_scope_names(session))
                for row in events.find_after(session, scope, 0, 10_000)
            ]
            return [events.as_event(row) for row in rows if row.target[0] != "!"]

    def targets(self) -> str:
        return "".join(event.target for event in self.events())


@pytest.fixture
def settings() -> Settings:
    return Settings(scope=SCOPE, timezone="Asia/Shanghai")


@pytest.fixture
def inbox(store: Store, settings: Settings, home: Home) -> Iterator[Inbox]:
    inbox = Inbox(store, settings, home)
    yield inbox
    inbox.stop()


@pytest.fixture
def watched(inbox: Inbox) -> Inbox:
    inbox.start()
    return inbox


def text(names: Iterable[str]) -> str:
    return "".join(f"2026-03-02 09:00:00 - Started app: {name}\n" for name in names)


def write(path: Path, names: str) -> None:
    path.write_text(text(names))


def append(path: Path, names: str) -> None:
    with path.open("a") as file:
        file.write(text(names))


def rejected(home: Home) -> list[dict[str, object]]:
    lines = [line for file in sorted(home.rejects.iterdir()) for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def test_lines_that_come_again_far_apart_are_events_each(watched: Inbox) -> None:
    path = watched.folder / "back.txt"
    path.write_text(text(["a", *(f"b{n}" for n in range(2 * MAX_STORED_LINES)), "a"]))
    assert len(watched.events()) == 2 * MAX_STORED_LINES + 2
    with path.open("a") as file:
        file.write(text([f"c{n}" for n in range(2 * MAX_STORED_LINES)]))
        file.write(text(["a"]))
    assert sum(event.target == "a" for event in watched.events()) == 3
    watched.restart()
    assert len(watched.events()) == 4 * MAX_STORED_LINES + 3


def test_inbox_reads_existing_files(inbox: Inbox) -> None:
    write(inbox.folder / "file", "ab")
    inbox.start()
    assert inbox.targets() == "ab"


def test_inbox_leaves_an_incomplete_line(watched: Inbox) -> None:
    path = watched.folder / "file"
    write(path, "ab")
    with path.open("a") as file:
        file.write(text("c")[:-2])
    assert watched.targets() == "ab"
    with path.open("a") as file:
        file.write(text("c")[-2:] + text("d"))
    assert watched.targets() == "abcd"


def test_inbox_reads_a_file_that_its_writer_keeps_open(watched: Inbox) -> None:
    with (watched.folder / "file").open("w") as file:
        for count in range(1, 6):
            file.write(text("abcde"[count - 1]))
            file.flush()
            assert watched.targets() == "abcde"[:count]


def test_equal_lines_are_events_of_their_own(watched: Inbox) -> None:
    write(watched.folder / "file", "aa")
    assert watched.targets() == "aa"
    append(watched.folder / "file", "a")
    assert watched.targets() == "aaa"


def test_lines_and_json_objects_may_stand_in_one_file(watched: Inbox) -> None:
    opened = {
        "at": "2026-03-02T09:00:01.5+01:00",
        "operation": "file_access",
        "target": "plan.md",
        "detail": "/home/ada",
        "executable": "/usr/bin/vi",
    }
    rows = [json.dumps(opened), json.dumps({"event": "2026-03-02 09:00:02 - 启动应用: 浏览器"})]
    (watched.folder / "file.jsonl").write_text(text("a") + "".join(f"{row}\n" for row in rows))
    first, second, third = watched.events()
    assert (first.target, first.at) == ("a", datetime(2026, 3, 2, 1, tzinfo=UTC))
    assert second == Event(
        datetime.fromisoformat("2026-03-02T09:00:01.5+01:00"),
        Operation.FILE_ACCESS,
        "plan.md",
        detail="/home/ada",
        scope=SCOPE,
        source="inbox",
        source_key="file.jsonl",
        executable="/usr/bin/vi",
    )
    assert third.target == "浏览器"


def test_inbox_reads_a_file_moved_in(watched: Inbox, home: Home) -> None:
    write(home.root / "outside", "ab")
    (home.root / "outside").rename(watched.folder / "file")
    write(watched.folder / "other.tmp", "cd")
    (watched.folder / "other.tmp").rename(watched.folder / "other")
    assert sorted(watched.targets()) == ["a", "b", "c", "d"]


def test_inbox_follows_a_renamed_file(watched: Inbox, home: Home) -> None:
    with (watched.folder / "one").open("w") as file:
        file.write(text("a"))
        file.flush()
        (watched.folder / "one").rename(watched.folder / "two")
        file.write(text("b"))
        file.flush()
        assert watched.targets() == "ab"
        file.write(text("c"))
        file.flush()
        (watched.folder / "two").rename(home.root / "outside")
        assert watched.targets() == "abc"


def test_logs_are_rotated(watched: Inbox) -> None:
    log = watched.folder / "log"
    write(log, "a")
    assert watched.targets() == "a"
    append(log, "b")
    log.rename(watched.folder / "log.1")
    append(watched.folder / "log.1", "c")
    write(log, "d")
    assert sorted(watched.targets()) == ["a", "b", "c", "d"]


def test_logs_are_copied_and_cut(watched: Inbox) -> None:
    log = watched.folder / "log"
    write(log, "ab")
    assert watched.targets() == "ab"
    (watched.folder / "log.1").write_text(log.read_text())
    os.truncate(log, 0)
    assert watched.targets() == "ab"
    append(log, "c")
    assert watched.targets() == "abc"


def test_inbox_reads_a_truncated_file_again(watched: Inbox) -> None:
    path = watched.folder / "file"
    write(path, "aab")
    assert watched.targets() == "aab"
    os.truncate(path, 0)
    assert watched.targets() == "aab"
    append(path, "aab")
    append(path, "c")
    assert watched.targets() == "aabc"
    os.truncate(path, 0)
    append(path, "xaab")
    assert watched.targets() == "aabcx"
    write(path, "y")
    assert watched.targets() == "aabcxy"


def test_inbox_reads_a_file_replaced_by_an_editor(watched: Inbox) -> None:
    path = watched.folder / "file"
    write(path, "ab")
    assert watched.targets() == "ab"
    write(watched.folder / ".file.new", "abc")
    (watched.folder / ".file.new").rename(path)
    assert watched.targets() == "abc"


def test_inbox_copy_of_a_file_adds_nothing(watched: Inbox) -> None:
    write(watched.folder / "one", "aab")
    write(watched.folder / "copy", "aab")
    assert watched.targets() == "aab"


def test_inbox_reads_a_file_with_two_names_once(watched: Inbox) -> None:
    one, other = watched.folder / "one", watched.folder / "other"
    write(one, "a")
    os.link(one, other)
    append(one, "b")
    append(other, "c")
    assert watched.targets() == "abc"


def test_inbox_continues_after_a_restart(watched: Inbox) -> None:
    path = watched.folder / "file"
    write(path, "ab")
    with path.open("a") as file:
        file.write(text("c")[:-5])
    assert watched.targets() == "ab"
    watched.restart()
    assert watched.targets() == "ab"
    watched.stop()
    with path.open("a") as file:
        file.write(text("c")[-5:])
    path.rename(watched.folder / "renamed")
    write(path, "d")
    watched.start()
    assert sorted(watched.targets()) == ["a", "b", "c", "d"]


def test_inbox_reads_a_file_rewritten_meanwhile_once(watched: Inbox) -> None:
    path = watched.folder / "file"
    write(path, "ab")
    assert watched.targets() == "ab"
    watched.stop()
    write(path, "abc")
    os.truncate(watched.folder / "~end 1", 0)
    watched.start()
    assert watched.targets() == "abc"


def test_inbox_repeats_what_the_store_refused(watched: Inbox) -> None:
    watched.intake.is_failing = True
    write(watched.folder / "file", "ab")
    assert watched.targets() == "ab"


def test_inbox_folder_is_a_scope(watched: Inbox, home: Home) -> None:
    (watched.folder / "bob@host").mkdir()
    write(watched.folder / "bob@host" / "file", "a")
    (home.root / "prepared").mkdir()
    write(home.root / "prepared" / "file", "b")
    (home.root / "prepared").rename(watched.folder / "cid@host")
    write(watched.folder / "file", "c")
    until("the files in the new folders", lambda: len(watched.events()) == 3)
    found = [(event.scope, event.target) for event in watched.events()]
    assert found == [(SCOPE, "c"), ("bob@host", "a"), ("cid@host", "b")]
    append(watched.folder / "cid@host" / "file", "d")
    until("what was appended", lambda: len(watched.events()) == 4)
    assert [(event.scope, event.target) for event in watched.events()] == [*found, ("cid@host", "d")]
    assert set(watched.asked) == {SCOPE, "bob@host", "cid@host"}


def test_inbox_renamed_folder_keeps_what_was_read(watched: Inbox) -> None:
    (watched.folder / "bob@host").mkdir()
    write(watched.folder / "bob@host" / "file", "a")
    until("the file in the new folder", lambda: watched.targets() == "a")
    (watched.folder / "bob@host").rename(watched.folder / "rob@host")
    assert watched.targets() == "a"
    append(watched.folder / "rob@host" / "file", "b")
    until("what was appended", lambda: watched.targets() == "ab")
    assert [(event.scope, event.target) for event in watched.events()] == [("bob@host", "a"), ("rob@host", "b")]


@pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")  # watchdog's, for folders within folders
def test_inbox_skips_hidden_temporary_and_special_files(watched: Inbox, home: Home) -> None:
    write(home.root / "outside", "x")
    (home.root / "folder").mkdir()
    write(home.root / "folder" / "file", "x")

    def fill() -> None:
        for number, name in enumerate([".hidden", "half.tmp", ".folder/file", "half.tmp.d/deep/file"]):
            path = watched.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, str(number))

    fill()
    os.mkfifo(watched.folder / "pipe")
    (watched.folder / "link").symlink_to(home.root / "outside")
    (watched.folder / "linked").symlink_to(home.root / "folder")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(watched.folder / "socket"))
        assert watched.targets() == ""
        append(home.root / "outside", "y")
        watched.restart()
        fill()
        assert watched.targets() == ""


def test_rejects_hold_place_and_reason_and_never_text(watched: Inbox, home: Home) -> None:
    bad = [b"secret nonsense", b'{"secret": 1}', b"\xff\xfesecret", b'{"event": 5}', b"2026-03-02 09:00:00 - secret"]
    parts = [text("a").encode(), *(line + b"\n" for line in bad), text("b").encode()]
    (watched.folder / "file").write_bytes(b"".join(parts))
    assert watched.targets() == "ab"
    rows = rejected(home)
    assert [row["offset"] for row in rows] == [sum(map(len, parts[:place])) for place in range(1, 6)]
    assert {row["file"] for row in rows} == {"file"}
    assert rows[2]["reason"] == "the line is not UTF-8"
    assert len({row["sha256"] for row in rows}) == len(bad)
    for file in home.rejects.iterdir():
        assert "secret" not in file.read_text()


def test_inbox_rejects_a_long_line_once(watched: Inbox, home: Home) -> None:
    with (watched.folder / "file").open("w") as file:
        file.write(text("a") + "x" * 10 * MAX_LINE)
        file.flush()
        assert watched.targets() == "a"
        watched.restart()
        file.write("x" * MAX_LINE + "\n" + text("b"))
        file.flush()
        until("the rest of the file", lambda: watched.targets() == "ab")
    [row] = rejected(home)
    assert (row["offset"], row["reason"]) == (len(text("a")), f"the line is longer than {MAX_LINE} bytes")


def test_inbox_accepts_an_empty_file(watched: Inbox, home: Home) -> None:
    path = watched.folder / "file"
    path.touch()
    assert watched.targets() == ""
    append(path, "a")
    assert watched.targets() == "a"
    assert rejected(home) == []


def test_inbox_removed_is_created_again(watched: Inbox) -> None:
    write(watched.folder / "file", "a")
    assert watched.targets() == "a"
    shutil.rmtree(watched.folder)
    until("the inbox, created again", watched.folder.exists)
    write(watched.folder / "file", "b")
    assert watched.targets() == "ab"


def test_what_gave_no_notice_is_read_at_the_next_look(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_source, "watch", lambda *_, **__: None)
    inbox.start(scan_s=0.05)
    write(inbox.folder / "file", "a")
    assert inbox.targets() == "a"
    append(inbox.folder / "file", "b")
    assert inbox.targets() == "ab"


def test_a_replaced_inbox_is_watched_again(inbox: Inbox) -> None:
    inbox.start(scan_s=0.05)
    inbox.folder.rename(inbox.folder.with_name("old"))
    inbox.folder.mkdir()
    write(inbox.folder / "file", "a")
    assert inbox.targets() == "a"


def test_inbox_never_records_events_of_a_pause(watched: Inbox, home: Home) -> None:
    path = watched.folder / "file"
    write(path, "a")
    assert watched.targets() == "a"
    home.paused.touch()
    append(path, "bc")
    write(watched.folder / "other", "d")
    assert watched.targets() == "a"
    home.paused.unlink()
    append(path, "e")
    assert watched.targets() == "ae"
    watched.restart()
    assert watched.targets() == "ae"


def test_intake_counts_events_dropped_in_a_pause(
    store: Store, settings: Settings, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    taking = Intake(store, settings, home, asked.append)
    secret = Event(datetime(2026, 3, 2, tzinfo=UTC), Operation.PROCESS_START, "secret")
    home.paused.touch()
    with capture_logs() as logged:
        monkeypatch.setattr(intake, "log", logs.get_logger("test"))
        assert taking.store_batches("inbox", Batch([secret, secret], "key", {"offset": 5})) == 0
        assert taking.store_batches("inbox", Batch([], "key", {"offset": 6})) == 0
    assert logged == []
    with store.read() as session:
        assert redactions.count_by_source(session) == {"inbox": {"paused": 2}}
    assert asked == []
    assert taking.cursor("inbox", "key") == {"offset": 6}
    home.paused.unlink()
    assert taking.store_batches("inbox", Batch([secret], "key", {"offset": 7})) == 1
    assert asked == [SCOPE]
