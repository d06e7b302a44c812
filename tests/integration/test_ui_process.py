"""The process of the page: one for a home, at a link for its user, live, and ended when nobody uses it."""

import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from starlette.types import Receive, Scope, Send
from stores import make_store, store_events
from waiting import WAIT_S

from db.engine import open_store
from db.models import PredictionRow
from memo.clock.reading import Reading
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.predictions import NextPlace
from memo.core.settings import Settings
from ui.link import end, find_port, make_link
from ui.server import IDLE_S, Activity

ROOT = Path(__file__).parents[2]


def new_link() -> str:
    memo = [sys.executable, "-m", "memo", "ui", "--print"]
    return subprocess.run(memo, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def link(home: Home) -> Iterator[str]:
    make_store(Settings.load(), home)
    yield new_link()
    end(home)


def _cookie(link: str) -> str:
    with urllib.request.urlopen(link, timeout=WAIT_S) as answer:
        return SimpleCookie(answer.headers["set-cookie"]).output(attrs=[], header="").strip()


def test_a_second_link_leads_to_the_same_process(home: Home, link: str) -> None:
    again = make_link(home)
    assert urlsplit(again).port == urlsplit(link).port == find_port(home)
    assert stat.S_IMODE((home.run / "ui.token").stat().st_mode) == 0o600
    cookie = _cookie(again)
    assert "memo_ui_" in cookie, "the kernel says that the connection is ours"


def test_a_page_that_hangs_is_replaced(home: Home, link: str) -> None:
    process = psutil.Process(int((home.run / "ui.port").read_text().split()[1]))
    process.suspend()
    assert urlsplit(new_link()).port not in (None, urlsplit(link).port)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    end(home)
    assert find_port(home) is None


def test_the_page_changes_with_the_store(home: Home, link: str) -> None:
    parts = urlsplit(link)
    stream = HTTPConnection(parts.hostname or "", parts.port, timeout=WAIT_S)
    stream.request("GET", "/stream", headers={"cookie": _cookie(link)})
    answer = stream.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert _read_until(answer, b"Nothing is predicted yet.")
    _add_prediction(home)
    assert _read_until(answer, b"news.example")
    stream.close()


def _read_until(answer, words: bytes) -> bool:  # type: ignore[no-untyped-def]
    return any(words in line for line in iter(answer.readline, b""))


def _add_prediction(home: Home) -> None:
    settings, now = Settings.load(), Reading.now().at
    store = open_store(settings, home)
    event = Event(now, Operation.WINDOW_FOCUS, "title", "editor")
    place = NextPlace(Event(now, Operation.WEB_VISIT, "news.example").action, 0.5)
    row = dict(candidates=[], upcoming=[], person=[], new_probability=0.0, latency_ms=1.0, model_version="builtin")
    with store.write() as session:
        store_events(session, settings.scope, [event])
        session.add(PredictionRow(scope=settings.scope, made_at=now, last_event_id=1, places=[place.as_dict()], **row))
    store.close()


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """An application that answers at once."""


def test_an_unused_server_is_idle() -> None:
    now = [0.0]
    activity = Activity(_nothing, lambda: now[0])
    assert not activity.is_idle
    now[0] = IDLE_S + 1
    assert activity.is_idle
