"""The example subscribers of docs/: started late, killed while they work, and behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from conftest import ROOT, needs_program
from redis import Redis
from test_client import _delete_queue, message
from waiting import WAIT_S, until

from memo.core.events import Action, Operation
from memo.core.paths import Home
from memo.core.predictions import Candidate
from memo.messaging.publisher import Publisher, amqp_connection, exchange_v1
from memo.stack.task_queue import stream_key

EXAMPLES = ROOT / "docs" / "examples"
STORE = "0123456789ab"
NAMES = f"memo:{STORE}"
GROUP = f"example-{os.getpid()}"
HOSTILE = "evil\x7f$(touch pwned)`touch pwned`; ../../x '\"\\n"

Command = list[str]


def publish(url: str, *numbers: int) -> None:
    candidate = Candidate(Action(Operation.PROCESS_START, HOSTILE), 0.5, datetime(2026, 3, 2, 9, 15, tzinfo=UTC))
    publisher = Publisher(url, NAMES)
    publisher.publish([message(number) | {"candidates": [candidate.as_dict("en")]} for number in numbers])
    publisher.close()


class Example:
    """An example program whose output goes to a file."""

    def __init__(self, command: Command, folder: Path, **settings: str) -> None:
        self._command, self._folder, self._settings = command, folder, settings
        self._output = folder / "received.jsonl"
        self._output.touch()
        self._process: subprocess.Popen[bytes]

    def ended(self) -> int:
        """Return its exit status, once it has ended by itself."""
        return self._process.wait(WAIT_S)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the program, and kill it at the end."""
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdout=output, cwd=self._folder, env=os.environ | self._settings, start_new_session=True
            )
        try:
            yield
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def received(self) -> list[int]:
        """Return the ids received, in order."""
        return [json.loads(line)["id"] for line in self._output.read_text().split("\n")[:-1]]


def _groups(url: str) -> list[str]:
    stream = stream_key(NAMES)
    with Redis.from_url(url) as client:
        return [os.fsdecode(group["name"]) for group in client.xinfo_groups(stream)] if client.exists(stream) else []


def _has_reader(url: str) -> bool:
    """Return whether somebody reads from the queue; once it is only declared, it may not be bound yet."""
    with amqp_connection(url) as connection, connection.channel() as channel:
        try:
            queue = channel.queue_declare(f"{exchange_v1(NAMES)}.{GROUP}", passive=True)
        except connection.channel_errors:
            return False
    return bool(queue.consumer_count)


def _is_there(url: str) -> Callable[[], bool]:
    return lambda: _has_reader(url) if url.startswith("amqp") else GROUP in _groups(url)


@pytest.fixture(params=["subscriber.py", "subscriber.py by AMQP", "subscriber_amqp.py", "subscriber.sh"])
def example(request: pytest.FixtureRequest, home: Home, tmp_path: Path) -> Iterator[tuple[Example, str]]:
    """Yield a program and the URL of the broker that it reads from."""
    name: str = request.param
    url: str = request.getfixturevalue("amqp_url" if "amqp" in name.lower() else "redis_url")
    file = str(EXAMPLES / name.partition(" ")[0])
    command = [sys.executable, file, GROUP, url, NAMES if "amqp.py" in name else STORE]
    settings = {}
    if name.endswith(".sh"):
        settings = {"REDIS": f"{needs_program('redis-cli')} -u {url}", "STREAM": stream_key(NAMES)}
        command = ["sh", file, GROUP, "cat"]
    yield Example(command, tmp_path, **settings), url
    _delete_queue(url, GROUP)


def _has_received(program: Example, least: int) -> bool:
    return len(set(program.received())) >= least


def test_example_gets_every_message_however_often_killed(example: tuple[Example, str], tmp_path: Path) -> None:
    program, url = example
    with program.running():
        until("its group", _is_there(url))
    publish(url, *range(1, 41))  # before it runs again
    for least in (3, 10, 40):
        with program.running():
            until("its messages", partial(_has_received, program, least))
    with program.running():
        publish(url, 41)
        until("the last", lambda: 41 in program.received())
    received = program.received()
    assert set(received) == {*range(1, 42)}
    assert len(received) <= 41 + 3 * 10, "at most the messages it held when it was killed come twice"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["received.jsonl"], "no part of a title was executed"


def test_shell_example_repeats_the_message_that_failed(redis_url: str, tmp_path: Path) -> None:
    redis = f"{needs_program('redis-cli')} -u {redis_url}"
    fails_once = "cat >>received.jsonl; test -e failed || { touch failed; exit 7; }"
    command = ["sh", str(EXAMPLES / "subscriber.sh"), GROUP, "sh", "-c", fails_once]
    program = Example(command, tmp_path, REDIS=redis, STREAM=stream_key(NAMES))
    with program.running():
        until("its group", _is_there(redis_url))
        publish(redis_url, 1, 2)
        assert program.ended() == 7
    with program.running():
        until("both", lambda: program.received() == [1, 1, 2])
