"""The embedded broker as a real server; and the servers that a URL names."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from waiting import WAIT_S, until

from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import broker
from memo.stack.broker import broker_url, check_broker, connect, measure_queues, server, serves
from memo.stack.task_queue import DISPATCH, LOOK, PREDICT, lengths, make_app


@contextmanager
def running(home: Home, command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the broker of a home, and kill it at the end if it still runs."""
    environment = os.environ | {"MEMO_HOME": str(home.root)}
    with (home.logs / "broker.out").open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        until("the broker serves, or has ended", lambda: serves(home) or process.poll() is not None)
        assert process.returncode is None
        yield process
    finally:
        process.kill()
        process.wait()


def until_written(client: Any) -> None:
    """Wait until the append-only file is written: with `appendfsync everysec` the reply may come before that."""
    until("all is written", lambda: not client.info("persistence")["aof_buffer_length"])


OURS = [sys.executable, "-m", "memo.stack.broker"]


@pytest.fixture(params=["bundled", "redis-server"])
def command(request: pytest.FixtureRequest, home: Home, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command of the bundled server, and of one on the path."""
    if request.param == "bundled":
        return OURS
    found = shutil.which(request.param)
    if found is None:
        pytest.skip(f"there is no {request.param} on the path")
    monkeypatch.setattr(broker, "_binary", lambda: found)
    home.broker.mkdir(mode=0o700)
    return server(home)


def test_broker_answers_on_its_socket_and_on_no_port(home: Home, command: list[str]) -> None:
    with running(home, command) as process:
        check_broker(broker_url(home, Settings()))
        assert psutil.Process(process.pid).net_connections("inet") == []
        with connect(broker_url(home, Settings())) as client:
            assert client.info("persistence")["aof_enabled"] == 1


def test_broker_socket_is_its_owners_alone(home: Home) -> None:
    home.broker.mkdir(mode=0o755)
    with running(home, OURS):
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (home.broker, home.broker / "socket")}
    assert modes == {home.broker: 0o700, home.broker / "socket": 0o600}


def test_broker_ends_at_sigterm_and_leaves_no_socket(home: Home, command: list[str]) -> None:
    with running(home, command) as process:
        process.terminate()
        assert process.wait(WAIT_S) == 0
        assert not (home.broker / "socket").exists()


def test_broker_keeps_its_data_when_it_is_killed(home: Home, command: list[str]) -> None:
    with running(home, command) as process, connect(broker_url(home, Settings())) as client:
        client.xadd("stream", {"a": "b"})
        client.rpush("queue", "task")
        until_written(client)
        process.kill()
        process.wait()
        assert (home.broker / "socket").exists(), "as a kill leaves it"
    with running(home, command), connect(broker_url(home, Settings())) as client:
        assert (client.xlen("stream"), client.lrange("queue", 0, -1)) == (1, [b"task"])


def test_broker_serves_a_home_with_an_odd_name() -> None:
    root = Path(tempfile.mkdtemp(prefix="memo ü?#%20 ", dir="/tmp"))
    try:
        home = Home(root)
        home.logs.mkdir()
        with running(home, OURS):
            check_broker(broker_url(home, Settings()))
    finally:
        shutil.rmtree(root)


def test_broker_ends_with_its_supervisor(home: Home) -> None:
    code = (
        "import os; from pathlib import Path; from memo.stack.child import start; "
        "from memo.stack.broker import serves; from memo.core.paths import Home; "
        f"home = Home(Path({str(home.root)!r}))\n"
        f"process = start({OURS!r}, home.logs / 'broker.out')\nwhile not serves(home): pass\n"
        f"print(process.pid, flush=True); os.kill(os.getpid(), {signal.SIGKILL.value})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    until("the end of the broker", lambda: not psutil.pid_exists(int(done.stdout)))
    assert not serves(home)


def test_broker_that_cannot_run_says_why(home: Home) -> None:
    long = home.root / ("x" * 100)
    done = subprocess.run(
        OURS, env=os.environ | {"MEMO_HOME": str(long)}, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert "at most 107 are allowed; set MEMO_HOME to a shorter path" in sentence


def test_check_broker_accepts_a_redis_server(redis_url: str) -> None:
    check_broker(redis_url)


def test_check_broker_accepts_a_rabbitmq_server(amqp_url: str) -> None:
    check_broker(amqp_url)


@pytest.mark.parametrize("kind", ["redis_url", "amqp_url"])
def test_lengths_counts_the_waiting_messages(kind: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(kind)
    assert lengths(url) == {PREDICT: 0, DISPATCH: 0}
    app = make_app(url)
    with app.connection_for_write() as connection:
        for _ in range(3):
            app.send_task(LOOK, ["a@b"], connection=connection)
    app.close()
    until("the three messages", lambda: lengths(url) == {PREDICT: 3, DISPATCH: 0})


def test_a_queue_from_which_too_little_is_taken_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "MANY", 2)
    settings = Settings()
    assert measure_queues(home, settings)[0] is None, "no broker answers"
    with running(home, OURS):
        app = make_app(broker_url(home, settings))
        with app.connection_for_write() as connection:
            for number in range(1, 4):
                app.send_task(LOOK, ["a@b"], connection=connection)
                until("the message", lambda: measure_queues(home, settings)[0] == {PREDICT: number, DISPATCH: 0})  # noqa: B023
                said = measure_queues(home, settings)[1]
                assert said.startswith("3 messages wait in the queue predict") == (number == 3), said
        app.close()
