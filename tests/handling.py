"""For tests of handlers: candidates, what the store holds, and names that nobody should have."""

from datetime import UTC, datetime, timedelta

from db import events, migrate
from db.engine import open_store
from memo.events import Action, Event, Operation
from memo.paths import Home
from memo.predictions import Candidate
from memo.protocols import DispatchContext
from memo.settings import Settings

HOSTILE = {
    "newline": "plan\nFirefox",
    "escape": "evil\x1b]2;x\x07\x1b[31m",
    "shell": "$(touch pwned); `touch pwned` && touch pwned",
    "above": "../../../../etc/passwd",
    "long": "n" * 1_000_000,
    "surrogate": "half\ud800",
    "zero": "a\x00b",
    "markup": "<b>bold</b> & <img src='file:///etc/passwd'/>",
    "option": "--help",
    "empty": "",
}
AT = datetime(2026, 3, 2, 9, 15, 4, tzinfo=UTC)
SCOPE = "ada@host"


def candidate(operation: Operation, target: str, place: str = "", executable: str = "") -> Candidate:
    return Candidate(Action(operation, target, place), 0.9, AT, executable=executable)


def context(scope: str = SCOPE, prediction_id: int = 7) -> DispatchContext:
    return DispatchContext(prediction_id, scope, AT, AT + timedelta(minutes=10))


def remember(settings: Settings, home: Home, *seen: Candidate, source: str = "processes") -> None:
    """Store an event for each of them."""
    migrate.upgrade(settings, home)
    store = open_store(settings, home)
    repeats = events.Repeats()
    given = [
        Event(
            AT,
            one.action.operation,
            one.action.target,
            detail=one.action.place,
            source=source,
            executable=one.executable,
        )
        for one in seen
    ]
    with store.write() as session:
        events.append(session, settings.scope, given, [repeats.key(event) for event in given])
    store.close()
