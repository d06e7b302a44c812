"""Connections to Postgres that wait for an answer for a limited time: a server that hangs keeps the connection open."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

ANSWER_S = 60.0  # longest statement of the daemon
SHOW_S = 10.0  # longest statement of a command that shows something


def connect(*given: Any, answer_s: float = ANSWER_S, **options: Any) -> "Connection[Any]":
    """Return a connection. Each of its waits raises OperationalError after `answer_s` and closes it."""
    import psycopg

    class BoundedConnection(psycopg.Connection[Any]):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            """Wait for an answer of the server."""
            try:
                return super().wait(gen, interval, timeout or answer_s)
            except psycopg.errors._WaitTimeout as error:
                self.close()
                raise psycopg.OperationalError(f"no answer within {answer_s:.0f} s") from error

    return BoundedConnection.connect(*given, **options)
