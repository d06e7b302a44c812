"""What was truly seen of this machine's own scope: nothing else of a prediction is reached or started."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from db.engine import open_store
from db.intake import events
from memo.core.errors import MemoError
from memo.core.events import Action
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import Settings

WITNESSES = ("processes", "x11", "sway", "wlroots", "desktop")
"""Sources that have a program's file from the system, not from what somebody wrote."""


class NotSeenBefore(MemoError):
    """The prediction names what this machine's owner never did."""


class SeenBefore:
    """Looks into the store."""

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings, self._home = settings, home

    def check(self, action: Action, scope: str) -> None:
        """Raises NotSeenBefore unless the action is stored."""
        if scope != self._settings.scope:
            raise NotSeenBefore("it was predicted of another person or machine")
        if any(clean(text) != text for text in (action.target, action.place)) or not action.target:
            raise NotSeenBefore("its name is none that MEMO stores")
        with self._reading() as session:
            if not events.has_action(session, scope, action):
                raise NotSeenBefore("it was never seen here")

    def executable(self, app: str) -> str:
        """The program that an app was when it was last seen to start here; empty where that was never seen."""
        with self._reading() as session:
            return events.find_executable(session, self._settings.scope, app, WITNESSES)

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        store = open_store(self._settings, self._home)
        try:
            with store.read() as session:
                yield session
        finally:
            store.close()
