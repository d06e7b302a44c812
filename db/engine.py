"""Engines: one for writing and one for reading, on SQLite and on Postgres."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session

from memo.errors import MemoError, UsageError
from memo.paths import Home
from memo.settings import Settings

BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another."""


@dataclass(frozen=True)
class Store:
    """The open store. On SQLite writes begin IMMEDIATE, and reads never wait for a writer."""

    writer: Engine
    reader: Engine

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A short transaction, committed at the end; never hold one across a model call."""
        with _explained(self.writer), Session(self.writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A look at what is committed."""
        with _explained(self.reader), Session(self.reader, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Give the connections back."""
        self.writer.dispose()
        self.reader.dispose()


def store_url(settings: Settings, home: Home) -> str:
    """The URL of the store in force."""
    return settings.database_url or home.database_url


def open_store(settings: Settings, home: Home) -> Store:
    """The store; nothing is connected yet. Raises UsageError for a URL that no driver takes."""
    url = store_url(settings, home)
    try:
        if make_url(url).get_backend_name() != "sqlite":
            engine = create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 5})
            return Store(engine, engine)
        return Store(_sqlite(url, "IMMEDIATE"), _sqlite(url, "DEFERRED"))
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:  # a port such as `x`
        raise UsageError(
            "Setting database_url is not a database MEMO can use; write sqlite:///FILE or postgresql+psycopg://…"
        ) from error


def _sqlite(url: str, begin: str) -> Engine:
    engine = create_engine(url, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late and can't be IMMEDIATE
        connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}").close()
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL").close()  # at creation only: it waits for writers
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {begin}")

    return engine


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    """Say in one sentence which store failed."""
    try:
        yield
    except DBAPIError as error:
        url = engine.url.render_as_string(hide_password=True)
        reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
        raise StoreError(
            f"The store {url} did not do as asked ({reason}); is it there and up to date? See `memo doctor`."
        ) from error


class StoreError(MemoError):
    """The database refused or could not be reached."""


def shown_url(settings: Settings, home: Home) -> str:
    """The URL of the store in force, without its password."""
    return make_url(store_url(settings, home)).render_as_string(hide_password=True)


def revision(connection: Connection) -> str | None:
    """The schema revision of a store; None where it is empty. (Alembic itself takes long to load.)"""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite URL, else None."""
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
