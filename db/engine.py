"""The store's engines, one for writing and one for reading, on SQLite or Postgres."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, DisconnectionError
from sqlalchemy.orm import Session

from db.turns import Turns
from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home, refuse_foreign
from memo.core.settings import Settings
from memo.store import json_text
from memo.store.damage import GONE, REMEDY, find_obstacle, mark, read_mark
from memo.store.postgres import ANSWER_S, connect

BUSY_TIMEOUT_MS = 10_000  # how long a writer waits for another process
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)  # errors that mean a damaged file
OBSTRUCTED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)  # errors with a cause outside it
POSTGRES = {"connect_timeout": 5, "client_encoding": "utf8"}  # without an encoding, SQL_ASCII gives bytes
JSON = {"json_serializer": json_text.as_text, "json_deserializer": json_text.decode}
ENCODINGS = ("UTF8", "SQL_ASCII")  # the second one keeps whatever bytes it is given
PRECONDITIONS = """SELECT current_setting('server_encoding'), current_user, current_schema(),
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"""
DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")


@dataclass(frozen=True)
class Store:
    """The open store. On SQLite writes begin IMMEDIATE, and reads never wait for a writer.

    Nothing is written once there is damage.
    """

    writer: Engine
    reader: Engine
    turns: Turns | None = None
    """The turns of those who write to SQLite; Postgres itself serves them in order."""
    report_damage: Callable[[str], None] = lambda damage: None
    """Called with the damage that a statement met."""
    find_damage: Callable[[], str] = lambda: ""
    """Returns the damage that any process has met, or ""."""

    @contextmanager
    def write(self, is_lasting: bool = True) -> Iterator[Session]:
        """Open a transaction that is committed at the end; keep it short, and never call a model in it.

        The commit of one that is not lasting does not wait for the disk. What it wrote may be gone after a power
        failure or a crash of Postgres, so it has to be something that is done again then.
        """
        writer = self.writer if is_lasting else self.writer.execution_options(is_lasting=False)
        with (
            self.turns.take() if self.turns else nullcontext(),
            _explained(self.writer, self.report_damage),
            Session(writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def give_way(self) -> None:
        """Let waiting writers have their turn; call this before each transaction of long work."""
        if self.turns:
            self.turns.give_way()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that reads what is committed."""
        with _explained(self.reader, self.report_damage), Session(self.reader, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Close the connections; the last one writes SQLite's log into the file, unless it can only read."""
        engines = [self.reader, self.writer]
        for engine in reversed(engines) if self.find_damage() else engines:
            engine.dispose()


def store_url(settings: Settings, home: Home) -> str:
    """Return the URL of the configured store."""
    return settings.database_url or home.database_url


def open_store(
    settings: Settings,
    home: Home,
    busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    answer_s: float = ANSWER_S,
    reader_mode: str = "rw",
) -> Store:
    """Return the store, without connecting yet; Postgres has to answer within `answer_s`.

    A file of SQLite is opened, never created: one that was deleted must not become a new store without a word.
    A reader of the mode "ro" does not write SQLite's log into the file, which may be damaged, when it is closed. That
    of a part does, so that the log is empty after a clean end. Raises UsageError for a URL that MEMO cannot use.
    """
    url = _parsed(store_url(settings, home))
    if url.get_backend_name() == "sqlite":
        refuse_foreign(Path(url.database or "").absolute())
        find_damage = partial(read_mark, home)
        turns = Turns(home.run)
        writer = _sqlite(url, "rw", busy_timeout_ms, find_damage, turns)
        reader = _sqlite(url, reader_mode, busy_timeout_ms, lambda: "")
        return Store(writer, reader, turns, partial(mark, home), find_damage)
    try:
        engine = create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=POSTGRES, **JSON)
    except (ArgumentError, ImportError) as error:  # an option such as `port=x`; no library of Postgres
        raise _unusable("is not a database that MEMO can use") from error

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, given: list[Any], options: dict[str, Any]) -> Any:
        return connect(*given, answer_s=answer_s, **options)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if not _is_lasting(connection):
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")

    return Store(engine, engine)


def _is_lasting(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("is_lasting", True))


def _parsed(url: str) -> URL:
    """Return the parts of a URL. Raises UsageError without quoting the URL, as it may contain a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # a port such as `x`
        raise _unusable("is not a database that MEMO can use") from error
    if parsed.drivername not in DRIVERS:
        raise _unusable("is not a database that MEMO can use")
    if parsed.get_backend_name() == "sqlite":
        if parsed.query or parsed.database in (None, "", ":memory:"):
            raise _unusable("names no file, or has options, which SQLite does not take")
    elif not re.fullmatch(r"[^@?]*@?[^@]*", url):  # the rest of a password would be taken for the host
        raise _unusable("has one @ too many; write it as %40 inside a password")
    elif unknown := parsed.query.keys() - _options():
        raise _unusable(f"has options that Postgres does not know ({', '.join(sorted(unknown))})")
    return parsed


def _options() -> set[str]:
    from psycopg.pq import Conninfo

    return {option.keyword.decode() for option in Conninfo.get_defaults()}


def _unusable(reason: str) -> UsageError:
    return UsageError(
        f"Setting database_url {reason}; write sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME."
    )


def _sqlite(
    url: URL, mode: str, busy_timeout_ms: int, find_damage: Callable[[], str], turns: Turns | None = None
) -> Engine:
    """Return an engine that is used while `find_damage` finds none; one that writes takes turns."""
    file = Path(url.database or "").absolute()
    uri = f"file:{quote(str(file))}?mode={mode}"
    connect_existing = partial(sqlite3.connect, uri, uri=True, check_same_thread=False)
    engine = create_engine(url, hide_parameters=True, creator=connect_existing, **JSON)  # errors are logged

    @event.listens_for(engine, "checkout")
    def _check(_connection: object, record: Any, _proxy: object) -> None:
        found = _identity(file)
        if found is None:  # SQLite would go on writing into the file that was deleted
            raise _Damaged(GONE)
        if damage := find_damage():
            raise _Damaged(damage)
        if found != record.info["file"]:
            raise DisconnectionError

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        record.info["file"] = _identity(file)
        connection.isolation_level = None  # the driver's own BEGIN is late, and never IMMEDIATE
        connection.execute(f"PRAGMA busy_timeout={busy_timeout_ms}").close()
        if mode == "ro":
            return
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL").close()  # only at creation, as it waits for writers
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if turns is None:
            connection.exec_driver_sql("BEGIN")
            return
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if _is_lasting(connection) else 'NORMAL'}")
        with turns.waiting():
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _identity(file: Path) -> tuple[int, int] | None:
    """Return which file has this name now; None if there is none."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _explained(engine: Engine, report_damage: Callable[[str], None]) -> Iterator[None]:
    """Turn database errors into one sentence that names the store."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise UnstorableError(f"The store {redact_url(engine.url)} can't hold a text ({error.reason}).") from error
    except DBAPIError as error:
        kind = UnstorableError if _is_of_a_value(error) else StoreError
        reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
        if is_damage(error.orig):
            report_damage(reason)
            raise DamagedStoreError(redact_url(engine.url), reason) from error
        if _code(error.orig) in OBSTRUCTED and (obstacle := find_obstacle(Path(engine.url.database or ""))):
            raise StoreError(obstacle) from error
        raise kind(
            f"Cannot use the store {redact_url(engine.url)}: {reason}. "
            "`memo doctor` checks whether it can be reached and is up to date."
        ) from error


class _Damaged(sqlite3.DatabaseError):
    """The file that is open was deleted, which SQLite itself does not notice, or is known to be damaged."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


class StoreError(MemoError):
    """The database refused a statement or could not be reached."""


def is_damage(error: BaseException | None) -> bool:
    """Return whether an error of SQLite means that its file is damaged."""
    return _code(error) in DAMAGE


def _code(error: BaseException | None) -> int:
    """Return the kind of an error of SQLite, or 0; the bits above tell details."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


class DamagedStoreError(StoreError):
    """The store is lost or damaged. A person has to restore it, so a service manager must not start MEMO again."""

    exit_code = 2

    def __init__(self, place: object, damage: str) -> None:
        super().__init__(f"The store {place} is damaged ({damage}); {REMEDY}.")


class UnstorableError(StoreError):
    """The database refused a value, as it will each time."""


def _is_of_a_value(error: DBAPIError) -> bool:
    """Return whether a value is at fault, by its kind or, in Postgres, by size. Source: PostgreSQL Error Codes."""
    return isinstance(error, DataError) or str(getattr(error.orig, "sqlstate", "")).startswith("54")


def redacted_store_url(settings: Settings, home: Home) -> str:
    """Return the URL of the configured store, without user, password and options."""
    return redact_url(_parsed(store_url(settings, home)))


def redact_url(url: URL) -> str:
    """Return a URL without user, password and options, as an option may be a password too."""
    return URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()


def check_database(connection: Connection, may_create: bool) -> None:
    """Raise StoreError if a Postgres database can't hold any text, or, if asked, MEMO's tables can't be made there."""
    if connection.dialect.name != "postgresql":
        return
    encoding, user, schema, is_granted = connection.execute(text(PRECONDITIONS)).one()
    url = redact_url(connection.engine.url)
    if encoding not in ENCODINGS:
        raise StoreError(
            f"The database {url} has the encoding {encoding}, which lacks most characters; MEMO needs UTF8. Make "
            "another one (CREATE DATABASE memo ENCODING 'UTF8' TEMPLATE template0) and name it in database_url."
        )
    if may_create and not is_granted:
        raise StoreError(
            f"The user {user} may not make tables in {url}; run there, as the owner of the database: "
            f'GRANT CREATE, USAGE ON SCHEMA {schema or "public"} TO "{user}".'
        )


def revision(connection: Connection) -> str | None:
    """Return the schema revision of a store, or None if it is empty, without loading Alembic, which takes long."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite URL, or None for another URL."""
    parsed = _parsed(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None
