"""Files that the embedded broker can't read are set aside, and it begins empty; other failures are none of that."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from test_embedded_broker import running, until_written
from waiting import WAIT_S, until

from cli.stack.doctor import CHECKS
from cli.stack.status import collect, facts
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import broker
from memo.stack import running as lock
from memo.stack.broker import broker_url, connect, server
from memo.stack.broker_damage import CRASHES, is_damage, set_broker_aside
from memo.stack.child import start
from memo.stack.process_specs import BROKER
from memo.stack.supervisor import Supervisor

QUEUE = "queue"
SAYS = "The broker's files were damaged, so its queue began empty; nothing is lost."


def one(home: Home, end: str) -> Path:
    (found,) = (home.broker / "appendonlydir").glob(f"*.{end}")
    return found


def add_zeros(home: Home) -> None:
    with one(home, "incr.aof").open("ab") as file:
        file.write(bytes(4096))


def overwrite_log(home: Home) -> None:
    with one(home, "incr.aof").open("r+b") as file:
        file.seek(60)
        file.write(bytes(300))


def tear_base(home: Home) -> None:
    base = one(home, "base.rdb")
    os.truncate(base, base.stat().st_size // 2)


def overwrite_base(home: Home) -> None:
    one(home, "base.rdb").write_bytes(b"\xff" * 200)


def remove_base(home: Home) -> None:
    one(home, "base.rdb").unlink()


def empty_manifest(home: Home) -> None:
    os.truncate(one(home, "manifest"), 0)


def tear_manifest(home: Home) -> None:
    manifest = one(home, "manifest")
    os.truncate(manifest, manifest.stat().st_size - 5)


def overwrite_manifest(home: Home) -> None:
    manifest = one(home, "manifest")
    manifest.write_bytes(bytes(manifest.stat().st_size))


def replace_with_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def put_folder_for_base(home: Home) -> None:
    replace_with_folder(one(home, "base.rdb"))


def put_folder_for_log(home: Home) -> None:
    replace_with_folder(one(home, "incr.aof"))


def put_folder_for_manifest(home: Home) -> None:
    replace_with_folder(one(home, "manifest"))


def put_folder_for_socket(home: Home) -> None:
    replace_with_folder(home.broker / "socket")


def put_file_for_folder(home: Home) -> None:
    shutil.rmtree(home.broker / "appendonlydir")
    (home.broker / "appendonlydir").touch()


def put_link_to_itself(home: Home) -> None:
    log = one(home, "incr.aof")
    log.unlink()
    log.symlink_to(log)


def overwrite_name_of_command(home: Home) -> None:
    log = one(home, "incr.aof")
    log.write_bytes(log.read_bytes().replace(b"RPUSH", b"XYZZY").replace(b"rpush", b"xyzzy"))


def add_length(home: Home, length: bytes) -> None:
    with one(home, "incr.aof").open("ab") as file:
        file.write(b"*3\r\n$5\r\nRPUSH\r\n$5\r\nqueue\r\n$%b\r\nx\r\n" % length)


def claim_impossible_length(home: Home) -> None:
    add_length(home, b"90000000000000000")


def claim_greatest_length(home: Home) -> None:
    add_length(home, b"9223372036854775807")


def claim_negative_length(home: Home) -> None:
    add_length(home, b"-5")


DAMAGE = [
    claim_impossible_length,
    claim_greatest_length,
    claim_negative_length,
    put_folder_for_base,
    put_folder_for_log,
    put_folder_for_manifest,
    put_folder_for_socket,
    put_file_for_folder,
    put_link_to_itself,
    overwrite_name_of_command,
    add_zeros,
    overwrite_log,
    tear_base,
    overwrite_base,
    remove_base,
    empty_manifest,
    tear_manifest,
    overwrite_manifest,
]


@pytest.fixture(params=["bundled", "redis-server"])
def command(request: pytest.FixtureRequest, home: Home, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command of a broker that was killed: its queue is in the base file, and in the log after it."""
    if request.param != "bundled":
        found = shutil.which(request.param)
        if found is None:
            pytest.skip(f"there is no {request.param} on the path")
        monkeypatch.setattr(broker, "_binary", lambda: found)
    home.broker.mkdir(mode=0o700)
    fill(home, server(home))
    return server(home)


def fill(home: Home, command: list[str]) -> None:
    with running(home, command) as process, connect(broker_url(home, Settings())) as client:
        client.rpush(QUEUE, *["x" * 50] * 50)
        before = one(home, "base.rdb")
        client.bgrewriteaof()
        until("the files are rewritten", lambda: not before.exists())
        client.rpush(QUEUE, *["y" * 50] * 50)
        until_written(client)
        process.kill()
        process.wait()


def queued(home: Home) -> int:
    with connect(broker_url(home, Settings())) as client:
        return int(client.llen(QUEUE))


@pytest.mark.parametrize("damage", DAMAGE)
def test_broker_with_unreadable_files_says_so(home: Home, command: list[str], damage: Callable[[Home], None]) -> None:
    damage(home)
    output = home.logs / "broker.out"
    process = start(command, output)
    assert process.wait(WAIT_S) in (1, *CRASHES)
    assert is_damage(output, process.pid, process.returncode, home.broker), output.read_text()
    assert set_broker_aside(home).startswith(SAYS)
    home.broker.mkdir(mode=0o700)
    with running(home, command):
        assert queued(home) == 0


def test_broker_whose_last_command_is_torn_goes_on(home: Home, command: list[str]) -> None:
    log = one(home, "incr.aof")
    os.truncate(log, log.stat().st_size - 7)
    with running(home, command) as process:
        assert queued(home) >= 50
    assert not is_damage(home.logs / "broker.out", process.pid, process.returncode, home.broker)


@pytest.mark.parametrize(
    "said",
    [
        "Out Of Memory allocating 64 bytes!",
        "Out Of Memory allocating 9000000 bytes!\n7:M # Redis 7.0.15 crashed by signal: 11",
        "rdbGenericLoadStringObject failed allocating 64 bytes\n7:M # Internal error in RDB reading offset 0",
        "Write error writing append only file on disk: No space left on device",
        "Failed opening Unix socket: bind: File name too long",
        "Error reading the append only file a.aof, error: Input/output error",
    ],
)
def test_another_failure_is_no_damage(home: Home, said: str) -> None:
    output = home.logs / "broker.out"
    output.write_text("54:M # Bad file format reading the append only file\n")
    assert is_damage(output, 54, 1, home.broker)
    with output.open("a") as file:
        file.write(f"7:M 18:54:07 # {said}\n")
    crashed = "crashed" in said
    assert not is_damage(output, 7, -signal.SIGSEGV if crashed else 1, home.broker)
    assert not is_damage(output, 18, 1, home.broker)


@contextmanager
def supervised(home: Home) -> Iterator[list[str]]:
    """Run the broker of a home under a supervisor until it serves; what that says."""
    said: list[str] = []
    supervisor = Supervisor(home, [BROKER.name], said.append, first_delay_s=0.0)
    thread = Thread(target=supervisor.run)
    thread.start()
    try:
        until("the broker serves", lambda: supervisor.ready)
        yield said
    finally:
        supervisor.stop()
        thread.join()


def test_supervisor_sets_damaged_files_aside_and_says_it_once(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    home.broker.mkdir(mode=0o700)
    for _ in range(2):
        fill(home, server(home))
        add_zeros(home)
        with lock.hold(home), supervised(home) as said:
            assert queued(home) == 0
            (kept,) = home.damaged.glob("*/broker")
            assert said == [f"{SAYS} They are kept in {kept.parent}."]
            assert dict(facts(collect(home, Settings())))["notice"] == said[0]
            assert CHECKS["broker"](home, Settings()).endswith(said[0])
        assert list(home.damaged.iterdir()) == [kept.parent], "the newest ones alone"
    with lock.hold(home), supervised(home) as said:
        assert "notice" not in dict(facts(collect(home, Settings())))
    assert said == []


def test_file_in_the_place_of_the_folder_is_set_aside(home: Home) -> None:
    for content in ("1", "2"):
        shutil.rmtree(home.broker, ignore_errors=True)
        home.broker.write_text(content)
        with lock.hold(home), supervised(home) as said:
            (kept,) = home.damaged.glob("*/broker")
            assert kept.read_text() == content
            assert said == [f"{SAYS} They are kept in {kept.parent}."]


def test_newest_broker_alone_is_kept_and_every_store(home: Home) -> None:
    for name in ("1", "2"):
        (home.damaged / name / "broker").mkdir(parents=True)
    (home.damaged / "1" / "memo.db").touch()
    home.broker.mkdir()
    set_broker_aside(home)
    assert len(list(home.damaged.glob("*/broker"))) == 1
    assert (home.damaged / "1" / "memo.db").exists() and not (home.damaged / "2").exists()
