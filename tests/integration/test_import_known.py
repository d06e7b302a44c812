"""`memo import` from browsers and ActivityWatch adds each event once, and the daemon continues from there."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from calling import memo, memo_import, printed
from histories import Chromium, Firefox
from sqlalchemy import select

from collector.intake import Intake
from collector.sources.web.web_profiles import find_profiles
from collector.sources.web.web_reader import VisitReader
from db.engine import Store, open_store
from db.intake import events
from db.models import EventRow
from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Past

DAY = timedelta(days=1)
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def person(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("MEMO_SCOPE", "a@b")
    return tmp_path


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    opened = open_store(Settings.load(), home)
    yield opened
    opened.close()


def titles(store: Store) -> list[str]:
    with store.read() as session:
        rows = session.scalars(select(EventRow).order_by(EventRow.seq)).all()
    assert {row.source for row in rows} <= {events.IMPORT, "web"}
    return [row.detail for row in rows]


def test_import_of_nothing_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="name files, or add --browser or --activitywatch URL"):
        memo_import()


def test_import_browser_adds_each_visit_once(person: Path, store: Store) -> None:
    browsers: tuple[Chromium | Firefox, ...] = (
        Chromium(person / ".config/chromium/Default"),
        Firefox(person / ".mozilla/firefox/a"),
    )
    for days, browser in enumerate(browsers, 1):
        browser.visit("https://a.org", f"{days}", NOW - days * DAY)
        browser.visit("https://a.org", "old", NOW - 50 * DAY - days * timedelta(seconds=1))
    counts = {"read": 2, "new": 2, "private": 0, "rejected": 0}
    assert memo_import("--browser").items() >= counts.items()
    assert titles(store) == ["2", "1"]
    assert memo_import("--browser")["read"] == 0
    assert memo_import("--browser", "--days", "60")["new"] == 2
    assert titles(store) == ["old", "old", "2", "1"]
    for browser in browsers:
        browser.close()


def test_daemon_continues_where_import_browser_ended(person: Path, store: Store, home: Home) -> None:
    browser = Chromium(person / ".config/chromium/Default")
    browser.visit("https://a.org", "imported", NOW - DAY)
    memo_import("--browser")
    browser.visit("https://a.org", "live")
    intake = Intake(store, Settings.load(), home, lambda scope: None)

    def emit(given: Batch | Past) -> None:
        if isinstance(given, Past):
            intake.store_past("web", given)
        else:
            intake.store_batches("web", given)

    [profile] = find_profiles()
    VisitReader(Settings.load(), home, emit, lambda key: intake.cursor("web", key)).read_new(profile, True)
    assert titles(store) == ["imported", "live"]
    browser.close()


def test_import_browser_counts_what_privacy_rules_drop(
    person: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMO_PRIVACY__SITES", '["secret.org"]')
    browser = Chromium(person / ".config/chromium/Default")
    browser.visit("https://www.secret.org/x", "secret")
    browser.visit("https://a.org", "a")
    shown = printed("import", "--browser")
    assert shown == "2 events read, 1 new, 1 dropped by privacy rules, 0 rejected.\n"
    assert titles(store) == ["a"]
    browser.close()


def test_import_browser_skips_and_names_a_damaged_history(person: Path, store: Store) -> None:
    os.makedirs(person / ".config/vivaldi/Default")
    (person / ".config/vivaldi/Default/History").write_bytes(os.urandom(10_000))
    with pytest.raises(MemoError, match="No browser history could be read"):
        memo_import("--browser")
    browser = Chromium(person / ".config/chromium/Default")
    browser.visit("https://a.org", "a")
    result = memo("import", "--browser")
    assert "vivaldi Default was skipped" in result.stderr
    assert titles(store) == ["a"]
    browser.close()


def test_import_browser_without_a_browser_says_so() -> None:
    with pytest.raises(MemoError, match="No browser history was found"):
        memo_import("--browser")


def test_import_activitywatch_adds_each_event_once(person: Path, store: Store, home: Home) -> None:
    at = (NOW - DAY).isoformat()
    window = [
        {"timestamp": at, "duration": 10, "data": {"app": "a.exe", "title": "1"}},
        {"timestamp": at, "duration": 10, "data": {"app": ["secret"]}},
    ]
    table = {"w": {"type": "currentwindow", "hostname": "pc", "events": window}}
    export = person / "export.json"
    export.write_text(json.dumps({"buckets": table}))
    report = memo_import("--activitywatch", str(export))
    rejects = [str(home.rejects / "activitywatch.jsonl")]
    assert (report["read"], report["new"], report["rejected"], report["rejects"]) == (2, 2, 1, rejects)
    assert "secret" not in Path(rejects[0]).read_text()
    assert memo_import("--activitywatch", str(export))["new"] == 0
    with store.read() as session:
        assert [row.target for row in session.scalars(select(EventRow).order_by(EventRow.seq))] == ["1", "a.exe"]


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://127.0.0.1:1", "The ActivityWatch server at http://127.0.0.1:1 does not answer"),
        ("none", "can't be read"),
    ],
)
def test_import_activitywatch_without_a_server_says_so(address: str, sentence: str) -> None:
    with pytest.raises(MemoError, match=sentence):
        memo_import("--activitywatch", address)
