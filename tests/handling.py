"""For tests of handlers: candidates, installed apps, what the store holds, and names that nobody should have."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stores import make_store, store_events

from db.engine import Store, open_store
from db.intake import launch_sets
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.predictions import Candidate
from memo.core.settings import Settings
from memo.desktop.launch_sets import LaunchSet
from memo.protocols import DispatchContext

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
REPORT = """#!{python}
import json, os, sys, time
told = {{"argv": sys.argv[1:], "cwd": os.getcwd(), "pid": os.getpid(), "session": os.getsid(0) == os.getpid(),
        "files": os.listdir("/proc/self/fd"), "memo": [name for name in os.environ if name.startswith("MEMO_")]}}
with open({out!r} + ".new", "w") as file:
    json.dump(told, file)
os.rename({out!r} + ".new", {out!r})
time.sleep(60)
"""


def candidate(operation: Operation, target: str, place: str = "", executable: str = "") -> Candidate:
    return Candidate(Action(operation, target, place), 0.9, AT, executable=executable)


def context(scope: str = SCOPE, prediction_id: int = 7) -> DispatchContext:
    return DispatchContext(prediction_id, scope, AT, AT + timedelta(minutes=10))


def remember(settings: Settings, home: Home, *seen: Candidate, source: str = "processes") -> None:
    """Store an event for each of them."""
    make_store(settings, home)
    store = open_store(settings, home)
    given = [
        Event(
            AT,
            one.action.operation,
            one.action.target,
            app="" if one.action.operation is Operation.FILE_ACCESS else one.action.place,
            detail=one.action.place if one.action.operation is Operation.FILE_ACCESS else "",
            source=source,
            executable=one.executable,
        )
        for one in seen
    ]
    with store.write() as session:
        store_events(session, settings.scope, given)
    store.close()


def store_launch_set(store: Store, learned: LaunchSet, scope: str = SCOPE) -> None:
    with store.write() as session:
        before = launch_sets.find_launch_set(session, scope, learned.app)
        launch_sets.record_launch_set(session, scope, learned, before)


def stored_launch_sets(store: Store, scope: str | None = None) -> dict[str, LaunchSet]:
    """By the names of their apps."""
    with store.read() as session:
        return {found.app: found for _, found in launch_sets.find_launch_sets(session, scope)}


def program(folder: Path, name: str = "notes") -> Path:
    """One that writes down how it was started."""
    path = folder / "bin" / name
    path.write_text(REPORT.format(python=sys.executable, out=str(folder / "report")))
    path.chmod(0o755)
    return path


def entry(folder: Path, name: str = "notes", **keys: str) -> Path:
    path = folder / "share/applications" / f"{name}.desktop"
    given = {"Type": "Application", "Name": name} | keys
    path.write_text("[Desktop Entry]\n" + "".join(f"{key}={value}\n" for key, value in given.items()))
    return path
