"""Supervision with the real processes: killed parts restart, the end leaves nothing behind, failures say why."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import psutil
import pytest
from conftest import ROOT
from ports import silent_port
from stack import MEMO, SCOPE, Stack, interrupt, lines, new_stack
from stopping import stopped
from stores import make_store
from waiting import WAIT_S, until

from memo.core.grammar import parse
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import broker, running
from memo.stack.spawn import python_command

PARTS = ["broker", "collector", "worker", "dispatcher"]
SUPERVISOR = python_command("memo.stack.supervisor")
SAMPLE = ROOT / "data" / "sample" / "day.txt"
SECRET = "hunter2"
ROOMS = ["cli", "collector", "data", "db", "forget", "scheduler", "training", "worker"]
FOCUS = {"operation": "window_focus", "app": "editor"}
RUNNING = {
    "kind": "train",
    "scope": "a@b",
    "state": "running",
    "created_at": "2026-03-02",
    "result": "{}",
}  # row of `runs`


# Tests of one running stack. A test that ends it starts it again.


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack started in a folder, and with a PYTHONPATH, whose packages are called as MEMO's and end a process."""
    here, path = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("path")
    for folder, rooms in ((here, ["memo", *ROOMS]), (path, ROOMS)):
        for room in rooms:
            (folder / f"{room}.py").write_text("raise SystemExit('planted code ran')")
    with new_stack(PYTHONPATH=str(path)) as made:
        made.cwd = here
        yield made


@pytest.fixture
def up(stack: Stack) -> Stack:
    stack.run()
    return stack


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def targets(stack: Stack, after: int) -> list[str]:
    """Return the targets of the events after the one with this id."""
    return [row[0] for row in stack.sql(f"SELECT target FROM events WHERE id > {after} ORDER BY seq")]


def newest(stack: Stack) -> int:
    return int(stack.one("SELECT coalesce(max(id), 0) FROM events"))


def days() -> Iterator[str]:
    """Yield the start of another day for each test, as no two tests may append the same line."""
    yield from (f"2026-03-{day:02} 09:00:00" for day in range(1, 29))


DAYS = days()


def restarted(stack: Stack, before: dict[str, Any]) -> dict[str, Any]:
    """Return a part as the supervisor reports it once it runs as another process; else empty."""
    [found] = [part for part in running.state(stack.home)["parts"] if part["name"] == before["name"]]
    return found if found["state"] == "running" and found["pid"] != before["pid"] else {}


def some_lines(count: int) -> tuple[list[str], list[str]]:
    """Return new lines, and the targets of their events."""
    made = lines(count, next(DAYS))
    return made, [parse(line, UTC).target for line in made]


def test_status_of_a_running_stack_names_all_parts(up: Stack) -> None:
    def idle() -> dict[str, Any]:
        found = up.status()
        return found if not any(found["queues"].values()) and found["passing"] == [] else {}

    found = until("the queues are empty, and no process of the tick runs", idle)
    assert found["running"] is True and found["paused"] is False
    assert found["pid"] == running.holder(up.home)
    assert [(part["name"], part["state"]) for part in found["parts"]] == [(name, "running") for name in PARTS]
    for part in found["parts"]:
        assert psutil.Process(part["pid"]).ppid() == found["pid"]
        assert part["restarts"] >= 0 and part["memory_mb"] > 1
    assert found["queues"] == {"predict": 0, "dispatch": 0}
    assert (found["home"], found["inbox"]) == (str(up.home.root), str(up.home.inbox))
    assert found["events"] >= 0 and found["predictions"] >= 0


def test_doctor_of_a_running_stack_finds_no_problem(up: Stack) -> None:
    results = json.loads(up.ok("doctor", "--json"))
    names = ["home", "settings", "zone", "store", "broker", "model", "parts", "sources"]
    assert [result["check"] for result in results] == names
    assert all(result["ok"] and result["says"] for result in results)


@pytest.mark.parametrize("words", [["up"], ["up", "--foreground"], ["up", "--part", "dispatcher"]])
def test_up_beside_a_running_stack_names_its_process(up: Stack, words: list[str]) -> None:
    before = running.state(up.home)
    done = up.memo(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"MEMO is already running (process {before['pid']}); `memo down` stops it.\n"
    after = running.state(up.home)
    assert (after["pid"], after["parts"]) == (before["pid"], before["parts"])  # upkeep comes and goes by itself


@pytest.mark.parametrize("name", PARTS)
def test_supervisor_restarts_a_killed_part(up: Stack, name: str) -> None:
    up.predict(some_lines(1)[0])
    before, part = newest(up), up.part(name)
    new, expected = some_lines(5)
    kill(part["pid"])
    up.append(new)
    again = until(f"the {name} again", lambda: restarted(up, part))
    assert again["restarts"] == part["restarts"] + 1
    until("events", lambda: len(targets(up, before)) >= len(expected))
    up.until_predicted()
    assert targets(up, before) == expected
    assert up.one("SELECT last_event_id FROM predictions ORDER BY id DESC LIMIT 1") == newest(up)
    assert up.one("SELECT count(*) - count(DISTINCT last_event_id) FROM predictions") == 0
    assert [found["name"] for found in running.state(up.home)["parts"]] == PARTS


def test_what_is_done_in_a_pause_is_never_stored(up: Stack) -> None:
    before, uncounted = newest(up), paused(up)
    said = up.ok("pause", "30m")
    try:
        found = up.status()
        until_ = datetime.fromisoformat(found["paused_until"])
        assert found["paused"] and timedelta(minutes=29) < until_ - datetime.now(UTC) <= timedelta(minutes=30)
        assert f"{until_:%H:%M:%S}" in said and f"paused until {until_:%Y-%m-%d %H:%M:%S}" in up.ok("status")
        now = datetime.now(UTC).isoformat()
        up.append([json.dumps(FOCUS | {"at": now, "target": "in the pause"})])
        until("it is counted", lambda: paused(up) == uncounted + 1)
    finally:
        up.ok("resume")
    assert up.status()["paused"] is False
    up.append([json.dumps(FOCUS | {"at": now, "target": "told afterwards"})], "late.jsonl")
    new, expected = some_lines(1)
    up.append(new)
    until("it is counted", lambda: paused(up) == uncounted + 2)
    until("events again", lambda: targets(up, before))
    assert targets(up, before) == expected
    held = b"".join(up.contents().values())
    assert b"in the pause" not in held and b"told afterwards" not in held


def paused(stack: Stack) -> int:
    """Return how many events were left out because of a pause."""
    return int(stack.one("SELECT coalesce(sum(events), 0) FROM redactions WHERE rule = 'paused'"))


def test_supervisor_killed_leaves_nothing_and_restarts(up: Stack) -> None:
    before = newest(up)
    killed = running.holder(up.home)
    assert killed
    kill(killed)
    up.until_gone()
    found = up.status()
    assert found["running"] is False and found["parts"] == []
    new, expected = some_lines(4)
    up.append(new)
    up.ok("up")
    assert running.holder(up.home) not in (None, killed)
    until("what came meanwhile", lambda: len(targets(up, before)) >= 4)
    up.until_predicted()
    assert targets(up, before) == expected


def test_doctor_without_a_stack_names_the_wrong_broker() -> None:
    with new_stack(MEMO_BROKER_URL=f"redis://:{SECRET}@127.0.0.1:1/0") as fresh:
        make_store(Settings(), fresh.home)
        done = fresh.memo("doctor")
    assert done.returncode == 1 and SECRET not in done.stdout
    said = {line.split()[1]: line for line in done.stdout.splitlines()}
    assert [name for name, line in said.items() if line.startswith("WRONG")] == ["broker"]
    assert "start it, or correct broker_url" in said["broker"]
    assert "none is running; `memo up` starts them" in said["parts"]


# Tests of a stack in the foreground.


def memo_up(stack: Stack, *words: str, output: IO[str] | None = None) -> "subprocess.Popen[str]":
    """Start `memo up --foreground WORDS…`."""
    return stack.start(MEMO, "up", "--foreground", *words, output=output)


def test_up_plays_a_day_once_and_ends_as_it_is_asked_to() -> None:
    with new_stack() as fresh:
        process = memo_up(fresh, "--speed", "1000000")
        until("the store", (fresh.home.root / "memo.db").exists)
        day = len(SAMPLE.read_text(encoding="utf-8").splitlines())
        until("the day is stored", lambda: stored(fresh) == day)
        fresh.until_predicted("sample@memo")
        until("the end of the replay", lambda: running.state(fresh.home).get("passing") == [])
        status, said = interrupt(process)
        assert status == 0, said
        assert fresh.leftovers() == []
        assert not list(fresh.home.root.glob("memo.db-*")), "the live view has closed the store, too"
        assert "Nothing is recorded yet, so a sample day of an invented person is played first." in said
        assert f"events {day}  predictions {day}  hit@1 " in said.splitlines()[-1]
        assert "stopping…" in said.splitlines()
        assert "Traceback" not in said
        assert fresh.one("SELECT count(*) FROM predictions") == day, "each event had its prediction"
        assert fresh.one(f"SELECT count(*) FROM events WHERE scope = '{SCOPE}'") == 0

        assert "invented person" not in up_to_the_last_reader(fresh)
        assert fresh.leftovers() == []
        assert stored(fresh) == day + 1, "only the first run plays"


def up_to_the_last_reader(stack: Stack) -> str:
    """Run `memo up` for a reader that closes the pipe before a part starts; it ends at the next line that it shows."""
    reads, writes = os.pipe()
    with os.fdopen(reads) as reader:
        with os.fdopen(writes, "w") as output:
            process = memo_up(stack, output=output)
        said = "".join(takewhile(lambda line: "Ctrl-C stops MEMO." not in line, reader))
    stack.append(["2026-03-02 09:00:00 - Switched to window: Inbox (app: Mail)"])
    assert process.wait(WAIT_S) == 0
    return said


def test_service_shows_no_titles_and_down_keeps_the_rest(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, new_stack() as fresh:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(WAIT_S)
        fresh.settings["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        process = memo_up(fresh)
        until("it is ready", lambda: manager.recv(999) == b"READY=1")
        fresh.predict(lines(3, "2026-03-02 09:00:00", SECRET))
        assert all("NOTIFY_SOCKET" not in child.environ() for child in psutil.Process(process.pid).children())
        assert fresh.ok("down") == "MEMO has stopped.\n"
        until("it stops", lambda: manager.recv(999) == b"STOPPING=1")
        said, _ = process.communicate(timeout=WAIT_S)
        assert (process.returncode, SECRET in said, "invented person" in said) == (0, False, False)
        assert list(fresh.home.learned.iterdir()), "what was learned is kept for the next time"
        assert not list(fresh.home.root.glob("memo.db-*")), "each part has closed the store"
        assert fresh.leftovers() == []
        assert fresh.ok("down") == "MEMO is not running.\n"
        found = fresh.status()
        assert (found["running"], found["pid"], found["parts"], found["queues"]) == (False, None, [], None)
        assert found["events"] > 0 and found["predictions"] > 0, "what is stored stays"
        assert "MEMO is not running; `memo up` starts it" in fresh.ok("status")


def stored(stack: Stack) -> int:
    try:
        return int(stack.one("SELECT count(*) FROM events"))
    except Exception:  # the schema is only being made
        return -1


def test_ctrl_c_while_up_waits_leaves_nothing_running() -> None:
    with new_stack() as fresh:
        process = fresh.start(MEMO, "up")
        until("the parts", lambda: running.state(fresh.home).get("parts"))
        with stopped(until("the worker", lambda: fresh.part("worker")["pid"])):  # so that it is not ready
            status, said = interrupt(process)
        assert status == 1 and "MEMO was not started" in said
        assert fresh.leftovers() == []


def test_supervisor_ends_after_its_time() -> None:
    with new_stack() as fresh:
        process = fresh.start(*SUPERVISOR, "broker", "--for", "1")
        said, _ = process.communicate(timeout=WAIT_S)
        assert (process.returncode, said) == (0, "")
        assert fresh.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_supervisor_ends_at_each_signal(number: signal.Signals) -> None:
    with new_stack() as fresh:
        process = fresh.start(*SUPERVISOR, "broker")
        until("the broker", lambda: broker.serves(fresh.home))
        process.send_signal(number)
        said, _ = process.communicate(timeout=WAIT_S)
        assert (process.returncode, said) == (0, "")
        assert fresh.leftovers() == []


def test_replay_ends_with_a_killed_supervisor() -> None:
    with new_stack() as fresh:
        process = fresh.start(*SUPERVISOR, "broker", "--replay", str(SAMPLE), "--speed", "1")
        until("the replay", lambda: running.state(fresh.home).get("passing"))
        process.kill()
        process.wait()
        fresh.until_gone()
        assert running.state(fresh.home) == {}


def test_up_of_another_part_leaves_runs_alone() -> None:
    with new_stack() as fresh:
        make_store(Settings(), fresh.home)
        with closing(sqlite3.connect(fresh.home.root / "memo.db")) as store, store:
            store.execute(f"INSERT INTO runs ({', '.join(RUNNING)}) VALUES (?, ?, ?, ?, ?)", [*RUNNING.values()])
        process = memo_up(fresh, "--part", "collector", "--for", "1")
        said, _ = process.communicate(timeout=WAIT_S)
        assert process.returncode == 0, said
        assert fresh.sql("SELECT state FROM runs") == [("running",)], "its process may run beside another part"
        assert fresh.leftovers() == []


def test_log_on_a_full_disk_prints_no_traceback() -> None:
    code = """
import logging, sys
from pathlib import Path
from memo.core import logs
logs.setup(Path(sys.argv[1]), "part")
logs.get_logger("x").error("said")
"""
    with TemporaryDirectory() as folder:
        (Path(folder) / "part.log").symlink_to("/dev/full")
        done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


# Tests of stacks that cannot run. They start all at once, since each waits for something.


@dataclass
class Failure:
    """A way in which `memo up` fails: its exit status, words of its sentence, and the preparation."""

    status: int
    words: str
    settings: dict[str, str] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)
    below: str = ""  # subfolder that is the home
    files: dict[str, str] = field(default_factory=dict)  # in the home
    full: str = ""  # folder of the home on a full disk of its own


CLOSED, SILENT = "127.0.0.1:1", "127.0.0.1:{port}"
POSTGRES = "postgresql+psycopg://u:hunter2@"
FAILURES = {
    "a home too long for a socket": Failure(
        2, "at most 107 are allowed; set MEMO_HOME to a shorter path", below="x" * 100
    ),
    "no redis": Failure(1, "No broker answers at redis://", {"MEMO_BROKER_URL": f"redis://{CLOSED}/0"}),
    "no rabbitmq": Failure(1, "No broker answers at amqp://", {"MEMO_BROKER_URL": f"amqp://u:{SECRET}@{CLOSED}//"}),
    "a silent redis": Failure(1, "No broker answers", {"MEMO_BROKER_URL": f"redis://:{SECRET}@{SILENT}/0"}),
    "a broker of another kind": Failure(2, "write one of redis, ", {"MEMO_BROKER_URL": f"http://{CLOSED}"}),
    "no postgres": Failure(1, "Connection refused", {"MEMO_DATABASE_URL": f"{POSTGRES}{CLOSED}/x"}),
    "a silent postgres": Failure(1, "connection timeout expired", {"MEMO_DATABASE_URL": f"{POSTGRES}{SILENT}/x"}),
    "no folder for the store": Failure(
        1, "there is no folder /dev/null", {"MEMO_DATABASE_URL": "sqlite:////dev/null/x.db"}
    ),
    "a store of another kind": Failure(2, "write sqlite:///FILE or", {"MEMO_DATABASE_URL": "mysql://h/x"}),
    "a wrong value": Failure(2, "Setting language is wrong", files={"memo.toml": 'language = "tlh"'}),
    "no file to replay": Failure(2, "is not a file; name a file", options=["--replay", "/nowhere/day.txt"]),
    "a broker that dies": Failure(
        1, "The broker died 5 times in a minute and is given up: ", files={"broker": "", "damaged": ""}
    ),
    "no room": Failure(1, "is full; free some space", full="."),
    "no room for the store": Failure(1, "is full; free some space", files={"memo.toml": ""}, full="."),
    "no room for the broker": Failure(1, "No space left on device", full="broker"),
}


@dataclass
class Seen:
    """The outcome of a failed start."""

    status: int
    said: str
    leftovers: list[str]


@pytest.fixture(scope="module")
def failed() -> Iterator[dict[str, Seen]]:
    with ExitStack() as opened, ThreadPoolExecutor(len(FAILURES)) as pool:
        port = opened.enter_context(silent_port())
        started = {}
        for name, failure in FAILURES.items():
            with suppress(NoDisk):
                stack = opened.enter_context(prepared(failure, port))
                started[name] = stack, pool.submit(stack.memo, "up", *failure.options)
        seen = {}
        for name, (stack, start) in started.items():
            done = start.result(WAIT_S)
            stack.until_gone()
            seen[name] = Seen(done.returncode, done.stdout + done.stderr, stack.leftovers())
        yield seen


class NoDisk(Exception):
    """This user may not mount a disk."""


@contextmanager
def prepared(failure: Failure, port: int) -> Iterator[Stack]:
    """Prepare a home for a failure."""
    settings = {key: value.format(port=port) for key, value in failure.settings.items()}
    with TemporaryDirectory(prefix="memo", dir="/tmp") as root, ExitStack() as disk:
        stack = Stack(Home(Path(root) / failure.below), settings)
        if failure.full:
            disk.enter_context(small_disk(stack.home.root / failure.full))
        stack.home.run.mkdir(parents=True, exist_ok=True)
        stack.home.logs.mkdir(exist_ok=True)
        for name, text in failure.files.items():
            (stack.home.root / name).write_text(text)
        if failure.full:
            fill(stack.home.root / failure.full)
        try:
            yield stack
        finally:
            if stack.processes():
                stack.end()


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        raise NoDisk
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> None:
    with (folder / "fill").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.parametrize("name", FAILURES)
def test_up_that_fails_says_why_in_one_sentence(failed: dict[str, Seen], name: str) -> None:
    if name not in failed:
        pytest.skip("only root can mount a small disk")
    seen, expected = failed[name], FAILURES[name]
    assert seen.status == expected.status, seen.said
    [sentence] = seen.said.splitlines()
    assert expected.words in sentence
    assert SECRET not in sentence
    assert seen.leftovers == []
