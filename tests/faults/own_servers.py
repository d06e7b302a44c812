"""Servers that the rounds of faults may end and start again: Postgres, Redis and RabbitMQ, each on a free port."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path
from typing import Any

from ports import free_port
from waiting import WAIT_S, until

BINARIES = (*sorted(glob("/usr/lib/postgresql/*/bin"), reverse=True), "/usr/lib/rabbitmq/bin")  # on PATH are wrappers


def program(name: str) -> str:
    """The path of a server's program."""
    path = shutil.which(name, path=os.pathsep.join([*BINARIES, os.environ["PATH"]]))
    assert path, f"{name} is not installed"
    return path


@dataclass
class OwnServer:
    """A server that can be ended and started again; `user` runs it, if given."""

    name: str
    url: str
    port: int
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    ended_by: signal.Signals = signal.SIGTERM
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        owner: dict[str, Any] = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        self._process = subprocess.Popen(
            self.command,
            env=os.environ | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **owner,
        )
        until(f"{self.name} answers", self._answers)

    def end(self) -> None:
        """End it as its administrator would."""
        assert self._process is not None
        os.killpg(self._process.pid, self.ended_by)
        self._process.wait(WAIT_S)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@contextmanager
def started(*servers: OwnServer) -> Iterator[None]:
    """Run servers, and end them."""
    with ExitStack() as ends:
        for server in servers:
            server.start()
            ends.callback(server.end)
        yield


@contextmanager
def folder(user: str | None = None) -> Iterator[Path]:
    """A folder of a server's, which belongs to the user that runs it."""
    with tempfile.TemporaryDirectory(prefix="memo", dir="/tmp") as made:
        if user:
            shutil.chown(made, user, user)
        yield Path(made)


def postgres(place: Path, user: str | None) -> OwnServer:
    """A new cluster in a folder; Postgres refuses to run as root."""
    port, data = free_port(), place / "data"
    owner: dict[str, Any] = {"user": user, "group": user, "extra_groups": []} if user else {}
    initdb = [program("initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C"]
    subprocess.run(initdb, check=True, capture_output=True, **owner)
    command = [program("postgres"), "-D", str(data), "-p", str(port), "-k", str(place), "-h", "127.0.0.1"]
    url = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    return OwnServer("Postgres", url, port, command, user=user, ended_by=signal.SIGINT)  # a fast shutdown


def redis(place: Path) -> OwnServer:
    """Redis with an append-only file, as the embedded broker has."""
    port = free_port()
    command = [program("redis-server"), "--port", str(port), "--dir", str(place), "--appendonly", "yes", "--save", ""]
    return OwnServer("Redis", f"redis://127.0.0.1:{port}/0", port, command)


def rabbitmq(place: Path) -> OwnServer:
    """A RabbitMQ node of its own name."""
    port = free_port()
    environment = {
        "HOME": str(place),
        "RABBITMQ_NODENAME": f"memo{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(place / "mnesia"),
        "RABBITMQ_LOG_BASE": str(place / "log"),
        "RABBITMQ_CONFIG_FILE": str(place / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "plugins"),
    }
    url = f"amqp://guest:guest@127.0.0.1:{port}//"
    return OwnServer("RabbitMQ", url, port, [program("rabbitmq-server")], environment)


def postgres_user() -> str | None:
    """The user that runs Postgres, or None for this one."""
    return None if os.geteuid() else pwd.getpwnam("postgres").pw_name
