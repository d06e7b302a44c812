"""What counts as a problem of the sources, and what does not."""

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from stores import make_store

from cli.stack import doctor, status
from cli.stack.status import collect, facts
from db.engine import open_store
from db.intake import cursors
from db.models import CursorRow
from db.upkeep import health
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop import sockets
from memo.stack import running

GONE = "Cannot connect to the X server :0."
Told = Callable[..., list[str]]


@pytest.fixture
def told(home: Home, monkeypatch: pytest.MonkeyPatch) -> Told:
    """The problems, given states and texts of sources, and how long ago they saw something; a desktop runs."""
    make_store(settings := Settings.load(), home)
    monkeypatch.setattr(sockets, "has_desktop", lambda: True)

    def find(sources: dict[str, tuple[str, str]], **seen: timedelta) -> list[str]:
        reported = {name: {"state": state, "says": says, "failures": 0} for name, (state, says) in sources.items()}
        monkeypatch.setattr(running, "sources", lambda home: reported)
        with closing(open_store(settings, home)) as store:
            with store.write() as session:
                for name, ago in seen.items():
                    cursors.record_cursor(session, name, name, {})
                    session.flush()
                    session.execute(
                        update(CursorRow).where(CursorRow.source == name).values(moved_at=datetime.now(UTC) - ago)
                    )
            with store.read() as session:
                return health.find_source_problems(session, home)

    return find


def test_a_source_that_fails_is_named_with_its_reason(told: Told, home: Home) -> None:
    [said] = told({"inbox": ("watching", ""), "web": ("failed", "OSError: no room")})
    assert said.startswith("The source web fails (OSError: no room)") and str(home.logs / "collector.log") in said


def test_a_source_that_says_what_it_misses_is_named(told: Told) -> None:
    assert told({"folders": ("watching", "no watches are left")}) == ["The source folders: no watches are left"]


def test_a_quiet_source_is_no_problem(told: Told) -> None:
    """Nobody may have been there, or nobody has opened a file: silence alone says nothing."""
    states = {name: ("watching", "") for name in ("inbox", "x11", "web", "recent", "processes")}
    assert told(states, x11=timedelta(days=3), web=timedelta(days=6), recent=timedelta(days=6)) == []


def test_a_desktop_that_is_no_longer_seen_is_named(told: Told) -> None:
    [said] = told(
        {"x11": ("missing", GONE), "sway": ("missing", "No sway."), "inbox": ("watching", "")},
        x11=timedelta(hours=1),
        sway=timedelta(days=2),
    )
    assert said.startswith("No window has been seen since 2")
    assert f"when the source x11 saw the last one: {GONE} Run `memo down`" in said


@pytest.mark.parametrize(
    ("sources", "seen"),
    [
        ({"x11": ("missing", GONE), "sway": ("watching", "")}, {"x11": timedelta(hours=1)}),
        ({"x11": ("missing", GONE), "desktop": ("failed", "")}, {"x11": timedelta(hours=1)}),
        ({"x11": ("missing", GONE)}, {"x11": timedelta(days=8)}),
        ({"x11": ("missing", GONE), "web": ("missing", "No history.")}, {"web": timedelta(hours=1)}),
        ({"inbox": ("watching", "")}, {"x11": timedelta(hours=1)}),
    ],
    ids=["another desktop", "named otherwise", "long ago", "never seen", "turned off"],
)
def test_a_source_that_is_not_expected_is_not_missed(told: Told, sources: Any, seen: Any) -> None:
    assert not [said for said in told(sources, **seen) if said.startswith("No window")]


def test_nobody_misses_windows_without_a_desktop(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "has_desktop", lambda: False)
    assert told({"x11": ("missing", GONE)}, x11=timedelta(hours=1)) == []


def test_status_and_doctor_name_the_problem(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    report = {"web": {"state": "failed", "says": "it ended unexpectedly", "failures": 1}}
    home.sources.write_text(json.dumps(report))
    monkeypatch.setattr(running, "state", lambda home: {"parts": [{"name": "collector", "state": "running", "pid": 0}]})
    settings = Settings.load()
    assert "The source web fails (it ended unexpectedly)" in dict(facts(collect(home, settings)))["problem"]
    with pytest.raises(MemoError, match="The source web fails"):
        doctor.CHECKS["sources"](home, settings)


def test_status_and_doctor_name_a_queue_that_grows(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "201 messages wait in the queue dispatch"
    for module in (doctor, status):
        monkeypatch.setattr(module, "measure_queues", lambda _home, _settings: ({}, said))
    monkeypatch.setattr(running, "state", lambda _home: {"parts": []})
    monkeypatch.setattr(running, "holder", lambda _home: 7)
    monkeypatch.setattr(doctor, "check_broker", lambda _url: None)
    assert dict(facts(collect(home, Settings.load())))["problem"] == said
    with pytest.raises(MemoError, match=said):
        doctor.CHECKS["broker"](home, Settings.load())


def test_a_part_that_was_given_up_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [{"name": "collector", "state": "failed", "pid": None, "restarts": 5}]
    home.state.write_text(json.dumps({"pid": 7, "parts": parts}))
    monkeypatch.setattr(running, "holder", lambda _home: 7)
    for file in (home.state, home.run / "lock"):
        file.touch()
    said = f"The collector crashed too often and is given up; see {home.logs}, then run `memo down` and `memo up`."
    assert running.state(home)["problems"] == [said]
    with pytest.raises(MemoError, match=f"^{said}$"):
        doctor.CHECKS["parts"](home, Settings.load())
