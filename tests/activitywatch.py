"""The real ActivityWatch server from the package index, in an environment of its own: it needs older libraries."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from conftest import ROOT, turn, unmet
from waiting import WAIT_S

ENVIRONMENT = ROOT / ".venv-aw"
PROGRAM = ENVIRONMENT / "bin" / "aw-server"
PACKAGES = ("aw-server==0.12.0", "aw-core==0.5.18", "aw-client==0.5.15")
OLDER = ("peewee<4", "flask<2.3", "werkzeug<2.3")
"""With newer libraries it answers no query, but its package requires them; so these are installed after it."""


def needs_server() -> Path:
    """The program, installed where it is not there yet."""
    with turn("activitywatch"):
        _install()
    return PROGRAM


def _install() -> None:
    if not PROGRAM.exists():
        python = [sys.executable, "-m"]
        pip = [*python, "pip", f"--python={ENVIRONMENT}", "install", "--quiet", "--disable-pip-version-check"]
        make = [*python, "venv", "--without-pip", str(ENVIRONMENT)]  # its own pip would take as long as all the rest
        try:
            for command in (make, [*pip, "--no-compile", *PACKAGES], [*pip, "--no-compile", *OLDER]):
                subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            PROGRAM.unlink(missing_ok=True)
            unmet("the ActivityWatch server can't be installed; the package index is needed once")


class Served:
    """A server that runs, and what its watchers would send it."""

    def __init__(self, port: int, pid: int) -> None:
        self.url, self.pid = f"http://127.0.0.1:{port}", pid

    def post(self, path: str, given: Any) -> Any:
        """Send JSON."""
        body = json.dumps(given).encode()
        asked = Request(f"{self.url}/api/0/{path}", body, {"Content-Type": "application/json"})
        with urlopen(asked, timeout=WAIT_S) as answer:
            return json.loads(answer.read() or b"null")

    def get(self, path: str) -> Any:
        """Ask for JSON."""
        with urlopen(f"{self.url}/api/0/{path}", timeout=WAIT_S) as answer:
            return json.load(answer)

    def make(self, bucket: str, kind: str, host: str = "host") -> None:
        """Create a bucket of a type, unless it exists."""
        if bucket not in self.get("buckets/"):
            self.post(f"buckets/{bucket}", {"client": "test", "type": kind, "hostname": host})

    def insert(self, bucket: str, at: datetime, duration: float, **data: Any) -> None:
        """Insert an event that is over."""
        self.post(f"buckets/{bucket}/events", [event(at, duration, **data)])

    def beat(self, bucket: str, at: datetime, **data: Any) -> None:
        """What a watcher sends each second: it makes the last event longer where nothing has changed."""
        self.post(f"buckets/{bucket}/heartbeat?pulsetime=60", event(at, 0, **data))


def event(at: datetime, duration: float, **data: Any) -> dict[str, Any]:
    """Return an event as JSON."""
    return {"timestamp": at.isoformat(), "duration": duration, "data": data}


@contextmanager
def serving(folder: Path, port: int) -> Iterator[Served]:
    """A server with all that it keeps in a folder."""
    homes = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    command = [str(needs_server()), "--testing", "--host", "127.0.0.1", "--port", str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=os.environ | homes, stdout=quiet, stderr=quiet)
    try:
        served = Served(port, process.pid)
        deadline = time.monotonic() + WAIT_S
        while True:
            with suppress(URLError, ConnectionError):
                served.get("info")
                break
            assert process.poll() is None and time.monotonic() < deadline, "the ActivityWatch server does not start"
            time.sleep(0.05)
        yield served
    finally:
        process.terminate()
        process.wait(WAIT_S)
