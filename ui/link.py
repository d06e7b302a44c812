"""The link to the page: where its process listens, and a token that opens it once."""

import hmac
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from importlib.util import find_spec

from memo.core.errors import MemoError
from memo.core.files import hold_lock, read_locked, write_atomically
from memo.core.paths import Home
from memo.stack import child
from memo.stack.spawn import python_command

START_S = 20.0  # longest start of the process
POLL_S = 0.05
ANSWER_S = 5.0  # for the process to answer, or to end
NEEDED = ("jinja2", "starlette", "uvicorn")  # packages of the extra `ui`


def make_link(home: Home) -> str:
    """Return a link that opens the page once; start its process if it does not run."""
    port = _answering_port(home) or _start(home)
    token = secrets.token_urlsafe(32)
    write_atomically(home.run / "ui.token", token)
    return f"http://127.0.0.1:{port}/enter?token={token}"


def use_token(home: Home, given: str) -> bool:
    """Return whether a token is the one of the last link; it opens nothing a second time."""
    file = home.run / "ui.token"
    with suppress(FileNotFoundError):
        is_right = hmac.compare_digest(file.read_bytes(), given.encode())
        if is_right:
            file.unlink()
        return is_right
    return False


def find_port(home: Home) -> int | None:
    """Return the port of the running process, or None if none runs."""
    found = _find_process(home)
    return found[0] if found else None


def end(home: Home) -> None:
    """Kill the process that serves the page, if one runs; it may be stuck, and keeps nothing."""
    if found := _find_process(home):
        with suppress(ProcessLookupError):
            os.kill(found[1], signal.SIGKILL)
        deadline = time.monotonic() + ANSWER_S
        while _find_process(home) == found and time.monotonic() < deadline:  # the kernel releases its lock
            time.sleep(POLL_S)


def _answering_port(home: Home) -> int | None:
    """Return the port of the running process; end one that does not answer, and return None."""
    port = find_port(home)
    if port is None:
        return None
    with suppress(OSError), closing(HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)) as connection:
        connection.request("HEAD", "/")
        connection.getresponse()
        return port
    end(home)
    return None


def _find_process(home: Home) -> tuple[int, int] | None:
    """Return port and process id of the running process, or None if none runs."""
    words = read_locked(home.run / "ui.port")
    return (int(words[0]), int(words[1])) if len(words) == 2 else None


@contextmanager
def announce_port(home: Home, port: int) -> Iterator[None]:
    """Hold the lock that says a process serves the page. Raises MemoError if another one does."""
    refusal = "Another process serves the page already; `memo ui --print` shows its link."
    with hold_lock(home.run / "ui.port", refusal) as file:
        file.truncate(0)
        file.write(f"{port} {os.getpid()}")
        file.flush()
        yield


def _start(home: Home) -> int:
    """Start the process and return its port. Raises MemoError with the reason if it does not come up."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MemoError(
            f"The page needs {', '.join(missing)}; run `{sys.executable} -m pip install {' '.join(missing)}`."
        )
    output = home.logs / "ui.out"
    output.unlink(missing_ok=True)
    process = child.start(python_command("ui"), output)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if port := find_port(home):
            return port
        if process.poll() is not None:
            raise MemoError(child.last_line(output) or f"The page's process ended at once; see {home.logs}.")
        time.sleep(POLL_S)
    raise MemoError(f"The page did not start within {START_S:.0f} s; see {home.logs}.")
