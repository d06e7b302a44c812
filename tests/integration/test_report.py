"""`memo report` over a store: daily shares compared with the rule, also on the page, and files that need no other."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from calling import memo
from starlette.testclient import TestClient
from stores import make_store, store_events

from cli.models.report import collect
from cli.models.report_figure import HitReport, draw
from db.engine import Store, open_store
from db.models import DispatchRow, PredictionRow, RunRow
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from training.evaluation.served import Comparison, DailyShare
from ui.app import make_app

SCOPE = "a@b<i>"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAYS, ACTS = 4, 60
APPS = ("editor", "mail", "shell")  # in turn, so that the most recent other app is never the next one
PNG = b"\x89PNG\r\n\x1a\n"


def at(number: int) -> datetime:
    return START + timedelta(days=number // ACTS, minutes=number % ACTS)


@pytest.fixture
def store(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store of some days; the next place was first on the last of them, and second before."""
    monkeypatch.setenv("MEMO_SCOPE", SCOPE)
    settings = Settings.load()
    make_store(settings, home)
    opened = open_store(settings, home)
    happened = [Event(at(n), Operation.WINDOW_FOCUS, "secret", APPS[n % 3]) for n in range(DAYS * ACTS)]
    with opened.write() as session:
        store_events(session, SCOPE, happened)
        session.add_all(_prediction(number) for number in range(1, DAYS * ACTS))
        session.flush()
        ended = at(ACTS)
        session.add(RunRow(kind="train", scope=SCOPE, state="done", created_at=ended, ended_at=ended, result={}))
        for number in range(3):
            session.add(_hit(number + 1))
    yield opened
    opened.close()


def _prediction(number: int) -> PredictionRow:
    """The prediction that the act `number` judges; ids of events begin with 1."""
    is_right = number >= (DAYS - 1) * ACTS
    names = (APPS[number % 3], "other") if is_right else ("other", APPS[number % 3])
    shares = zip(names, (0.6, 0.3), strict=True)
    places = [{"operation": "window_focus", "name": name, "probability": share} for name, share in shares]
    return PredictionRow(
        scope=SCOPE,
        last_event_id=number,
        made_at=at(number),
        model_version="builtin",
        latency_ms=1.0,
        candidates=[],
        upcoming=[],
        person=[],
        places=places,
        person_event_id=number + 1,
        new_probability=0.0,
        new_place=0.0,
        place_rank=1 if is_right else 2,
    )


def _hit(prediction: int) -> DispatchRow:
    return DispatchRow(
        prediction_id=prediction,
        scope=SCOPE,
        handler="preload_app",
        at=at(prediction),
        action={},
        action_key="key",
        probability=0.9,
        status="done",
        detail="",
        outcome="hit",
        gain_s=1.5,
    )


def test_days_stand_beside_the_rule(store: Store) -> None:
    with store.read() as session:
        found = collect(session, SCOPE, START)
    assert found is not None
    assert [(one.day.day, one.shares) for one in found.days] == [
        (3, [0.0, 1.0, 0.0, 1.0, 1.0, 1.0]),
        (4, [0.0, 1.0, 0.0, 1.0, 1.0, 1.0]),
        (5, [1.0, 1.0, 0.0, 1.0, 1.0, 1.0]),
    ]
    assert [words for _, words in found.events] == ["training done"]
    assert sum(found.saved.values()) == 4.5


def test_page_and_picture_need_no_other_file(store: Store, tmp_path: Path) -> None:
    page, picture = tmp_path / "r.html", tmp_path / "r.png"
    for file in (page, picture):
        assert memo("report", "--since", "2026-03-01", "--out", str(file)).exit_code == 0
        assert file.stat().st_mode & 0o777 == 0o600
    assert picture.read_bytes().startswith(PNG)
    text = page.read_text()
    assert "a@b&lt;i&gt;" in text and "<i>" not in text
    assert re.findall(r'(?:src|href)="([^"]{22})', text) == ["data:image/png;base64,"]
    assert not [word for word in (*APPS, "secret") if word in text]
    assert "already exists" in str(memo("report", "--since", "2026-03-01", "--out", str(page)).exception)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [(0, "v0001 serves")],
        [(0, "v0001 serves"), (1, "training failed")],
        [(1, "training failed")] * 14,
        [(1, f"v{number:04} serves") for number in range(20)],
    ],
    ids=["none", "one", "of another day", "one again and again", "many"],
)
def test_picture_of_one_day_has_room_for_events(events: list[tuple[int, str]]) -> None:
    total, one = Comparison(150, 0.3, 0.5, 0.2, 0.4, [(0.5, 0.5, 150)]), DailyShare(START.date(), 150, [0.3] * 6)
    marked = [(START.date() + timedelta(days), words) for days, words in events]
    assert draw(HitReport(SCOPE, total, [one], marked, {})).startswith(PNG), "without a warning of its layout"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--out", "r.pdf"), "neither a page nor a picture"),
        (("--since", "1d"), "too few to judge by"),
        (("--scope", "nobody"), "too few to judge by"),
    ],
)
def test_what_cannot_be_drawn_is_said(store: Store, words: tuple[str, ...], says: str) -> None:
    assert says in str(memo("report", *words).exception)


def test_report_without_a_store_says_so(home: Home) -> None:
    assert "too few to judge by" in str(memo("report").exception)


def test_the_page_shows_each_day_beside_the_rule(store: Store, home: Home) -> None:
    (home.run / "ui.token").write_text("secret")
    client = TestClient(make_app(home, 4711, lambda _request, _port: True), "http://127.0.0.1:4711")
    client.get("/enter?token=secret")
    table = client.get("/model").text.partition('id="beside"')[2].partition("</section>")[0]
    rows = [re.findall(r"<t[hd][^>]*>(?:<time>)?([^<]+)", row) for row in table.split("<tr>")[1:]]
    assert rows[0] == ["Date", "Acts", "first", "among three", "first by the rule", "among three by the rule"]
    assert [row[2:4] for row in rows[1:]] == [["100%", "100%"], ["0%", "100%"], ["0%", "100%"]], "newest first"
    assert {tuple(row[4:6]) for row in rows[1:]} == {("0%", "100%")}, "the rule"
    assert table.count("<polyline") == 2
