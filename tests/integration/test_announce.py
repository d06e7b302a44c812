import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from kombu import Connection
from ports import free_port
from structlog.testing import capture_logs
from waiting import WAIT_S

from collector import announce
from collector.announce import Announcer
from memo.core import logs
from memo.core.settings import Settings
from memo.stack.task_queue import LOOK, PREDICT, make_app

SCOPE = "ada@host"


class Broker:
    """A local port on which the broker is or is not reachable."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._real = (parts.hostname or "", parts.port or 0)
        self._port = free_port()
        self.url = url.replace(f":{parts.port}", f":{self._port}")
        self._open: list[socket.socket] = []

    def come(self, relay: bool = True) -> None:
        """Accept connections, and relay them to the real broker or answer nothing."""
        server = socket.create_server(("127.0.0.1", self._port))
        self._open.append(server)
        threading.Thread(target=self._serve, args=(server, relay), daemon=True).start()

    def _serve(self, server: socket.socket, relay: bool) -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                self._open.append(client)
                if relay:
                    real = socket.create_connection(self._real)
                    self._open.append(real)
                    for ends in ((client, real), (real, client)):
                        threading.Thread(target=_pass_on, args=ends, daemon=True).start()

    def go(self) -> None:
        """Close the port and all connections."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)


@pytest.fixture(params=["redis", "amqp"])
def url(request: pytest.FixtureRequest) -> str:
    chosen: str = request.getfixturevalue(f"{request.param}_url")
    return chosen


@pytest.fixture
def broker(url: str) -> Iterator[Broker]:
    broker = Broker(url)
    yield broker
    broker.go()


@pytest.fixture
def announcer(home: object, clock: SimpleNamespace) -> Iterator[Callable[..., Announcer]]:
    apps = []

    def make(url: str, **timings: float) -> Announcer:
        apps.append(make_app(url))
        return Announcer(apps[-1], Settings(), clock=lambda: clock.now, **timings)

    yield make
    for app in apps:
        app.close()


@pytest.fixture
def clock() -> SimpleNamespace:
    """The announcer's clock, which the test advances."""
    return SimpleNamespace(now=1000.0)


def received(url: str, count: int) -> list[tuple[str, Any, Any]]:
    """Return task, arguments and expiry of each message in the queue, once there are `count`."""
    app = make_app(url)
    [queue] = [queue for queue in app.conf.task_queues if queue.alias == PREDICT]
    options = app.conf.broker_transport_options
    app.close()
    found: list[tuple[str, Any, Any]] = []
    deadline = time.monotonic() + WAIT_S
    with Connection(url, transport_options=options) as connection, closing(connection.channel()) as channel:
        bound = queue(channel)
        bound.declare()
        while (message := bound.get(accept=["json"])) or len(found) < count:
            if message:
                message.ack()
                found.append((message.headers["task"], message.payload[0], message.headers["expires"]))
            assert time.monotonic() < deadline, found
    return found


def test_request_prediction_enqueues_the_task(url: str, announcer: Callable[..., Announcer]) -> None:
    request = announcer(url).request_prediction
    request(SCOPE)
    request("bob@host")
    first, second = received(url, 2)
    assert (first[0], first[1]) == (LOOK, [SCOPE])
    assert first[2] is not None
    assert second[1] == ["bob@host"]


def test_unreachable_broker_does_not_block_and_is_retried(
    broker: Broker,
    announcer: Callable[..., Announcer],
    clock: SimpleNamespace,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = announcer(broker.url).request_prediction
    with capture_logs() as logged:
        monkeypatch.setattr(announce, "log", logs.get_logger("test"))
        request(SCOPE)
        clock.now += announce.PAUSE_S
        request(SCOPE)
        assert len(logged) == 1
        broker.come()
        request("too soon")
        clock.now += announce.PAUSE_S
        request("back")
        assert [arguments for _, arguments, _ in received(url, 1)] == [["back"]]
        broker.go()
        deadline = time.monotonic() + WAIT_S
        while len(logged) < 2:  # AMQP confirms nothing: the first messages may be lost unnoticed
            assert time.monotonic() < deadline
            request("gone")
        clock.now += announce.PAUSE_S
        broker.come()
        request("back again")
    assert len(logged) == 2
    assert [arguments for _, arguments, _ in received(url, 1)] == [["back again"]]


def test_silent_broker_does_not_block(broker: Broker, announcer: Callable[..., Announcer]) -> None:
    broker.come(relay=False)
    request = announcer(broker.url, timeout_s=0.1).request_prediction
    asking = threading.Thread(target=request, args=(SCOPE,), daemon=True)
    asking.start()
    asking.join(WAIT_S)
    assert not asking.is_alive()
