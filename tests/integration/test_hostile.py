"""Each handler that is installed is given titles and names that nobody should have, in one running dispatcher."""

import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import notified
import pytest
import servers
import structlog
from dispatching import dispatching, happen, opened_store, predict, rows
from handling import HOSTILE
from session_bus import Bus
from stores import store_events
from structlog.testing import capture_logs

from db.dispatch import dispatches
from memo.core.events import Event, Operation
from memo.core.grammar import clean
from memo.core.paths import Home
from worker.handlers import installed
from worker.resources import Resources

SCOPE = "ada@host"
HARMFUL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
PROGRAM = """#!{python}
import json, sys
with open({out!r}, "a") as file:
    file.write(json.dumps([sys.argv[1:], sys.stdin.read()]) + "\\n")
"""
OPERATIONS = (Operation.WEB_VISIT, Operation.FILE_ACCESS, Operation.WINDOW_FOCUS, Operation.PROCESS_START)


@pytest.fixture
def web() -> Iterator[servers.Web]:
    with servers.serving() as made:
        yield made


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[notified.Server]:
    bus = Bus()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
    server = notified.Server(bus.address)
    server.presses = "no"
    with notified.serving(server):
        yield server
    bus.end()


@pytest.fixture
def opened(
    home: Home, tmp_path: Path, web: servers.Web, shown: notified.Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Resources]:
    """All handlers are on and get everything; the store has seen it all, so that they do not stop at that."""
    program = tmp_path / "program"
    program.write_text(PROGRAM.format(python=sys.executable, out=str(tmp_path / "given.jsonl")))
    program.chmod(0o700)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    home.config.write_text(settings(program, web.url))
    with opened_store(home.database_url, home) as context:
        yield context


def settings(program: Path, url: str) -> str:
    names = installed()
    routes = ", ".join(f"{operation} = {json.dumps(names)}" for operation in OPERATIONS)
    apps = [text for text in HOSTILE.values() if text and clean(text) == text]
    return f"""
scope = "{SCOPE}"
[dispatch]
on = {json.dumps(names)}
routes = {{{routes}}}
upcoming = {{{routes}}}
cooldown_s = 0
[launch]
apps = {json.dumps(apps)}
[webhook]
url = "{url}"
secret = "at least sixteen characters"
[exec]
command = ["{program}", "--fixed"]
[preconnect]
connect = true
"""


def _prediction(opened: Resources, text: str, operation: Operation, place: str) -> int:
    if operation is Operation.PROCESS_START:
        return predict(opened, "unlikely.example", 0.01, upcoming=[(text, 0.9)])
    return predict(opened, text, operation=operation, place=place)


def saw(opened: Resources, text: str, place: str) -> None:
    """Store an event of each operation with this text, cleaned as in the store, and let nothing of it be in use."""
    kept, at = clean(text), datetime.now(UTC) - timedelta(hours=1)
    with opened.store.write() as session:
        for operation in OPERATIONS:
            event = Event(at, operation, kept, app="Code", detail=place, source="processes")
            store_events(session, SCOPE, [event])
    happen(opened, "in front", operation=Operation.WINDOW_FOCUS)


def test_hostile_name_reaches_no_shell_log_terminal_or_file(
    opened: Resources,
    home: Home,
    tmp_path: Path,
    web: servers.Web,
    shown: notified.Server,
    capfd: pytest.CaptureFixture[str],
) -> None:
    place = tmp_path / "docs"
    place.mkdir()
    outside = tmp_path / "outside"
    outside.write_text("secret")
    os.utime(outside, (1, 2))  # to be read is to be seen: its last access is older than its last change
    texts = [*HOSTILE.values(), "../outside"]
    with dispatching(opened) as dispatcher, capture_logs() as logs:
        for text in texts:
            saw(opened, text, str(place))
            for operation in OPERATIONS:
                folder = {Operation.FILE_ACCESS: str(place), Operation.WINDOW_FOCUS: "Code"}.get(operation, "")
                dispatcher.dispatch(_prediction(opened, text, operation, folder))
                dispatcher.join()
    found = rows(opened)
    gone = {row.handler for row in found if row.status in (dispatches.DONE, dispatches.FAILED)}
    assert gone >= set(installed()) - {"preload_app", "preload_file"}, "each had its attempt"
    assert {row.status for row in found} <= {"done", "failed", "stopped"}
    assert not [row for row in found if row.handler in ("log", "record", "exec") and row.status == "failed"]

    assert not list(tmp_path.rglob("pwned")) and not Path("/tmp/pwned").exists(), "no shell"
    given = [json.loads(line) for line in (tmp_path / "given.jsonl").read_text().splitlines()]
    assert {tuple(words) for words, _ in given} == {("--fixed",)}, "no command line"
    bodies = [json.loads(body) for _, body in given] + [json.loads(sent.body) for sent in web.sent]
    assert len(web.sent) >= len(texts) and len(given) >= len(texts)
    assert not [body for body in bodies if HARMFUL.search(body["action"]["target"])]
    assert len(shown.shown) >= 1 and not [one for one in shown.shown if HARMFUL.search(one[4])]

    words = [str(structlog.processors.JSONRenderer()(None, "", entry)) for entry in logs]
    words += [line for file in home.logs.iterdir() for line in file.read_text().splitlines()]
    words += [row.detail for row in found]
    assert not [word for word in words if HARMFUL.search(word) or "\n" in word], "no log line"
    assert capfd.readouterr() == ("", ""), "no terminal"
    assert outside.stat().st_atime == 1, "no other file"
