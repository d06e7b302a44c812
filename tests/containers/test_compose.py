"""The image, built and run: the four parts of docker-compose.yml in containers, on this machine's Postgres and Redis.

They run by `buildah run --isolation chroot`, which needs root but no rights over namespaces. `TORCH` may name a folder
with a wheel of torch for CPUs, for machines that do not reach the page which the Dockerfile names.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from conftest import ROOT, fresh_postgres, fresh_redis, needs_program, unmet
from redis import Redis
from ruamel.yaml import YAML
from waiting import until

COMPOSE = YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]
PARTS = ("collector", "worker", "dispatcher")
USER = 1000  # that the image runs as
IMAGE = "memo-daemon"
RUN = ("buildah", "run", "--isolation", "chroot", "--network", "host")
DAY = (ROOT / "data" / "sample" / "day.txt").read_text(encoding="utf-8")


def run(*words: str, **given: Any) -> "subprocess.CompletedProcess[str]":
    """A command that must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, **given)
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done


@pytest.fixture(scope="module")
def image() -> str:
    """The image, built as compose builds it."""
    for program in ("buildah", "podman", "debootstrap"):
        needs_program(program)
    if os.geteuid() != 0:
        unmet("containers are built and run as root here")
    base = "python:3.11-slim"
    if subprocess.run(["buildah", "pull", "--quiet", "--policy", "missing", base], capture_output=True).returncode:
        run(str(ROOT / "tests" / "containers" / "base_image.sh"))
    torch = os.environ.get("TORCH")
    given = ["--volume", f"{torch}:/torch:ro", "--build-arg", "TORCH=/torch"] if torch else []
    run("buildah", "bud", "--isolation", "chroot", "--network", "host", *given, "--tag", IMAGE, str(ROOT))
    return IMAGE


@dataclass
class Part:
    """A service of compose in a container."""

    name: str
    container: str
    process: "subprocess.Popen[bytes]"
    output: Path

    def is_healthy(self) -> bool:
        """Return whether the command of its health check succeeds."""
        kind, *command = COMPOSE[self.name]["healthcheck"]["test"]
        assert kind == "CMD"
        return subprocess.run([*RUN, self.container, "--", *command], capture_output=True).returncode == 0

    def stop(self) -> int:
        """Stop it as compose does, and return its exit status."""
        command = psutil.Process(self.process.pid).children()[0].children()[0].children()[0]
        command.terminate()
        return self.process.wait(timeout=int(COMPOSE[self.name]["stop_grace_period"].removesuffix("s")))


@dataclass
class Composed:
    """All four parts, and what they share."""

    database_url: str
    broker_url: str
    inbox: Path
    parts: dict[str, Part] = field(default_factory=dict)

    def one(self, query: str) -> Any:
        """The first cell of the answer of Postgres."""
        with psycopg.connect(self.database_url.replace("+psycopg", "")) as connection:
            return connection.execute(query.encode()).fetchall()[0][0]


def volume(folder: Path, name: str) -> Path:
    """A volume, which belongs to the user of the image."""
    path = folder / name
    path.mkdir()
    os.chown(path, USER, USER)
    return path


def started(name: str, composed: Composed, folder: Path, volumes: dict[str, Path]) -> Part:
    service = COMPOSE[name]
    container = run("buildah", "from", IMAGE).stdout.strip()
    settings = service["environment"] | {
        "MEMO_DATABASE_URL": composed.database_url,
        "MEMO_BROKER_URL": composed.broker_url,
        "MEMO_SCOPE": "ada@host",
        "MEMO_TIMEZONE": "UTC",
        "MEMO_LANGUAGE": "en",
    }
    words = [word for item in settings.items() for word in ("--env", "=".join(item))]
    for given in service.get("volumes", []):
        named, _, place = given.partition(":")
        words += ["--volume", f"{volumes[named]}:{place}"]
    output = folder / f"{name}.out"
    with output.open("wb") as file:
        command = [*RUN, *words, container, "--", "memo", *service["command"]]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    return Part(name, container, process, output)


@pytest.fixture(scope="module")
def composed(image: str) -> Iterator[Composed]:
    """The four parts, healthy."""
    with ExitStack() as services:
        folder = Path(tempfile.mkdtemp(prefix="memo", dir="/tmp"))
        services.callback(shutil.rmtree, folder)
        urls = services.enter_context(fresh_postgres()), services.enter_context(fresh_redis())
        volumes = {name: volume(folder, name) for name in ("inbox", "models")}
        made = Composed(*urls, inbox=volumes["inbox"])
        for name in PARTS:
            made.parts[name] = part = started(name, made, folder, volumes)
            services.callback(run, "buildah", "rm", part.container)
            services.callback(end, part)
        for part in made.parts.values():
            until(f"{part.name} is healthy: {part.output.read_text()[-500:]}", part.is_healthy)
        yield made


def end(part: Part) -> None:
    """End whatever is left of a part."""
    if part.process.poll() is None:
        for process in psutil.Process(part.process.pid).children(recursive=True):
            process.kill()
        part.process.wait()


def test_image_holds_what_a_part_needs_and_no_tools_to_build(image: str) -> None:
    container = run("buildah", "from", image).stdout.strip()
    try:
        kept = run(*RUN, container, "--", "sh", "-c", "cd /opt/memo; ls bin lib/python3*/site-packages; id -u")
    finally:
        run("buildah", "rm", container)
    found = kept.stdout.split()
    assert found[-1] == str(USER)
    assert "torch" in found
    assert not {"mypy", "pytest", "ruff", "pip", "nvidia", "tests", "docs"} & set(found)


def test_parts_make_messages_of_a_day_and_end_in_time(composed: Composed) -> None:
    send_day(composed)
    for part in composed.parts.values():
        assert part.is_healthy()
        assert part.stop() == 0, part.output.read_text()[-1000:]
        assert not part.is_healthy()


def send_day(composed: Composed) -> None:
    """Put the sample day into the inbox, and see each event, a prediction after the newest, and all messages."""
    file = composed.inbox / "day.txt"
    file.write_text(DAY, encoding="utf-8")
    os.chown(file, USER, USER)
    until("all events", lambda: composed.one("SELECT count(*) FROM events") == len(DAY.splitlines()))
    newest = "SELECT count(*) FROM predictions p JOIN events e ON e.id = p.last_event_id JOIN scopes ON last_seq = seq"
    until("a prediction after the newest", lambda: composed.one(newest) == 1)
    unsent = "SELECT count(*) FROM predictions WHERE published_at IS NULL OR dispatched_at IS NULL"
    until("all are sent and dispatched", lambda: composed.one(unsent) == 0)
    with Redis.from_url(composed.broker_url) as redis:
        streams = [key for key in redis.scan_iter() if redis.type(key) == b"stream"]
        assert [redis.xlen(key) for key in streams] == [composed.one("SELECT count(*) FROM predictions")]
