"""The check that an action was seen in this machine's own scope: handlers reach and start nothing else."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from sqlalchemy.orm import Session

from db.engine import open_store
from db.intake import events
from memo.core.errors import MemoError
from memo.core.events import Action, Operation
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import Settings

# Sources that learn a program's file from the system, not from a text that somebody wrote.
WITNESSES = ("processes", "x11", "sway", "wlroots", "desktop")


class NotSeenBefore(MemoError):
    """The prediction names an action that this machine's owner never did."""


def check_seen(session: Session, settings: Settings, action: Action, scope: str) -> None:
    """Raise NotSeenBefore unless the action is stored in this machine's own scope."""
    if scope != settings.scope:
        raise NotSeenBefore("the prediction is about another person or machine")
    name = action.target or (action.operation is Operation.WINDOW_FOCUS and action.place)
    if not name or any(clean(text) != text for text in (action.target, action.place)):
        raise NotSeenBefore("MEMO stores no such name")
    if not events.has_action(session, scope, action):
        raise NotSeenBefore("it was never seen here")


class SeenBefore:
    """Looks actions up in the store."""

    def __init__(self, settings: Settings, home: Home, session: Session | None = None) -> None:
        self._settings, self._home, self._session = settings, home, session

    def check(self, action: Action, scope: str) -> None:
        """Raise NotSeenBefore unless the action is stored."""
        with self._read() as session:
            check_seen(session, self._settings, action, scope)

    def executable(self, app: str) -> str:
        """Return the program that an app ran when it was last seen to start here; empty if it never was."""
        with self._read() as session:
            return events.find_executable(session, self._settings.scope, app, WITNESSES)

    @contextmanager
    def _read(self) -> Iterator[Session]:
        """Yield the session that was given, or one of the store as it is now."""
        if self._session is not None:
            yield self._session
            return
        with closing(open_store(self._settings, self._home)) as store, store.read() as session:
            yield session
