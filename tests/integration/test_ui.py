"""The page over a store: what its views show, and what its buttons store."""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from pytest import MonkeyPatch
from sqlalchemy import select, update
from starlette.requests import Request
from starlette.testclient import TestClient
from stores import make_store, store_events

from db import store_access
from db.dispatch import handlers as handlers_rows
from db.engine import Store, open_store
from db.intake import cursors, events, redactions, scopes
from db.models import DailyCountRow, DispatchRow, EventRow, FeedbackRow, PredictionRow
from db.prediction import feedback, versions
from db.upkeep import backups, jobs
from memo.clock import pauses
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.predictions import NextAction, NextPlace, action_as_dict
from memo.core.settings import Settings
from memo.desktop import sockets
from memo.stack import heartbeat, running
from memo.store.damage import REMEDY
from ui import page
from ui.app import make_app
from ui.page import QUEUES_S, VIEWS, QueueCheck, Visit
from ui.views import now
from worker import handlers
from worker.dispatch.handler_list import list_handlers

PORT = 4711
BASE = f"http://127.0.0.1:{PORT}"
ORIGIN = {"origin": BASE}
HOSTILE = "</script><script>alert(1)</script>\x1b[2J\u202e"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
EDITOR = Action(Operation.WINDOW_FOCUS, HOSTILE, "editor")
SITE = Action(Operation.WEB_VISIT, "news.example")


@pytest.fixture
def opened(home: Home) -> Iterator[Store]:
    """A store in which the editor was in front, then a site, then the editor, with a prediction after each."""
    settings = Settings.load()
    make_store(settings, home)
    store = open_store(settings, home)
    batch = [
        Event(NOW, EDITOR.operation, EDITOR.target, EDITOR.place),
        Event(NOW + timedelta(minutes=5), SITE.operation, SITE.target),
        Event(NOW + timedelta(minutes=9), EDITOR.operation, EDITOR.target, EDITOR.place),
    ]
    with store.write() as session:
        store_events(session, settings.scope, batch)
        session.add_all(_prediction(settings.scope, number) for number in (1, 2, 3))
        counts = {"predictions": 3, "acts": 2, "place_1": 1, "place_3": 1}
        session.add(DailyCountRow(scope=settings.scope, day="2026-03-02", version="builtin", **counts))
    yield store
    store.close()


def _prediction(scope: str, number: int) -> PredictionRow:
    made_at = NOW + timedelta(minutes=number)
    return PredictionRow(
        scope=scope,
        made_at=made_at,
        last_event_id=number,
        model_version="builtin",
        candidates=[],
        upcoming=[],
        places=[NextPlace(EDITOR.coarse, 0.5).as_dict(), NextPlace(SITE, 0.25).as_dict()],
        person=[NextAction(EDITOR, 0.5).as_dict("en", made_at), NextAction(SITE, 0.25).as_dict("en", made_at)],
        new_place=0.25,
        new_probability=0.0,
        latency_ms=1.0,
        person_event_id={1: 2, 2: 3}.get(number),
        place_rank={2: 1}.get(number),
    )


@pytest.fixture
def client(home: Home, opened: Store, monkeypatch: MonkeyPatch) -> TestClient:
    monkeypatch.setattr(page, "measure_queues", lambda _home, _settings: ({}, ""))
    (home.run / "ui.token").write_text("secret")
    entered = TestClient(make_app(home, PORT, lambda _request, _port: True), BASE, follow_redirects=False)
    entered.get("/enter?token=secret")
    return entered


def test_now_names_the_next_place_and_not_the_present_one(client: TestClient) -> None:
    shown = client.get("/").text
    assert "<strong>news.example</strong>" in shown and "25%" in shown
    assert "<strong>editor</strong>" not in shown, "the editor is in front"
    assert "rank 1" in shown and "not foreseen" in shown


@pytest.mark.parametrize("rule", ['apps = ["mail"]', "titles = ['inbox']", 'sites = ["news.example"]'])
def test_now_suggests_nothing_that_is_excluded_since(client: TestClient, opened: Store, home: Home, rule: str) -> None:
    mail = [Action(Operation.WINDOW_FOCUS, title, "mail") for title in ("Inbox", "Drafts")]
    with opened.write() as session:
        newest = session.get_one(PredictionRow, 3)
        newest.places = [*newest.places, NextPlace(mail[0].coarse, 0.2).as_dict()]
        newest.person = [*newest.person, *(NextAction(one, 0.1).as_dict("en", NOW) for one in mail)]
    before = client.get("/").text
    assert "<strong>mail</strong>" in before and "Inbox" in before and "<strong>news.example</strong>" in before
    home.config.write_text(f"[privacy]\n{rule}\n")
    after = client.get("/").text
    assert ("<strong>mail</strong>" in after) == (rule[:4] != "apps")
    assert ("<strong>news.example</strong>" in after) == (rule[:5] != "sites")
    assert ("Inbox" in after, "Drafts" in after) == ((rule[:5] == "sites"), rule[:6] == "titles")


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_says_what_is_wrong(client: TestClient, view: str, monkeypatch: MonkeyPatch) -> None:
    assert "MEMO is not running; <code>memo up</code> starts it." in client.get(view).text
    monkeypatch.setattr(running, "state", lambda _home: {"problems": ["The worker <is> stuck."]})
    shown = client.get(view).text
    assert shown.count("The worker &lt;is&gt; stuck.") == 1 and "is not running" not in shown
    monkeypatch.setattr(running, "state", lambda _home: {"problems": []})
    assert 'class="problems"' not in client.get(view).text
    monkeypatch.setattr(QueueCheck, "find_problems", lambda *_given: ["A queue grows."])
    assert client.get(view).text.count("A queue grows.") == 1


def test_a_queue_that_grows_is_named_soon(home: Home, monkeypatch: MonkeyPatch) -> None:
    lengths, now = [201, 3], [1000.0]
    monkeypatch.setattr(page, "measure_queues", lambda _home, _settings: ({}, "long" if lengths.pop(0) > 200 else ""))
    monkeypatch.setattr("ui.page.time.monotonic", lambda: now[0])
    check = QueueCheck()
    assert [check.find_problems(home, Settings()) for _ in range(3)] == [["long"]] * 3, "the broker is asked once"
    now[0] += QUEUES_S + 1
    assert check.find_problems(home, Settings()) == []


def test_a_hostile_title_stays_text(client: TestClient) -> None:
    shown = client.get("/").text
    assert "&lt;script&gt;alert(1)" in shown and "<script>alert" not in shown
    assert "\x1b" not in shown and "\u202e" not in shown


@pytest.mark.parametrize("said", ["yes", "no", "never"])
def test_a_button_stores_the_answer(client: TestClient, opened: Store, said: str) -> None:
    form = {"prediction": "3", "rank": "2", "answer": said}
    assert client.post("/feedback", data=form, headers=ORIGIN).status_code == 303
    with opened.read() as session:
        row = session.get_one(FeedbackRow, 1)
    assert (row.prediction_id, row.answer, row.action["target"]) == (3, said, "news.example")
    assert client.get("/").text.count('aria-pressed="true"') == 1


@pytest.mark.parametrize("wrong", [{"rank": "0"}, {"rank": "x"}, {"prediction": "99"}, {"answer": "maybe"}])
def test_a_wrong_answer_stores_nothing(client: TestClient, opened: Store, wrong: dict[str, str]) -> None:
    form = {"prediction": "3", "rank": "2", "answer": "yes"} | wrong
    refused = client.post("/feedback", data=form, headers=ORIGIN)
    assert refused.status_code == 400 and 'role="alert"' in refused.text
    with opened.read() as session:
        assert session.get(FeedbackRow, 1) is None


def exclude(client: TestClient, name: str, was: str, entries: str) -> int:
    return client.post("/exclusions", data={f"was_{name}": was, name: entries}, headers=ORIGIN).status_code


def test_exclusions_are_changed_and_comments_stay(client: TestClient, home: Home) -> None:
    home.config.write_text("# mine\n[privacy]\nsites = ['a.example']  # keep\n")
    assert exclude(client, "sites", "a.example", "a.example\r\n b.example \r\n\r\n") == 303
    assert Settings.load().privacy.sites == ["a.example", "b.example"]
    assert home.config.read_text().startswith("# mine\n") and "# keep" in home.config.read_text()
    assert "\na.example\nb.example</textarea>" in client.get("/privacy").text
    assert exclude(client, "sites", "a.example\nb.example", "") == 303 and Settings.load().privacy.sites == []


def test_exclusion_retires_versions_and_the_page_says_so(client: TestClient, opened: Store, home: Home) -> None:
    span = [NOW.isoformat(), (NOW + timedelta(minutes=9)).isoformat()]
    (home.models / "v0003").mkdir()
    with opened.write() as session:
        scope, path = Settings.load().scope, "models/v0003"
        versions.add_version(session, "v0003", scope, base="builtin", path=path, parent=None, metrics={"span": span})
    sent = {"was_sites": "", "sites": "other.example"}
    assert client.post("/exclusions", data=sent, headers=ORIGIN).headers["location"] == "/privacy?retired=#exclusions"
    sent = {"was_sites": "other.example", "sites": "other.example\nnews.example"}
    done = client.post("/exclusions", data=sent, headers=ORIGIN)
    assert done.headers["location"] == "/privacy?retired=v0003#exclusions" and not (home.models / "v0003").exists()
    assert "Trained on what is excluded now, and deleted: v0003." in client.get(done.headers["location"]).text
    assert "deleted: " not in client.get("/privacy?retired=lie").text


def test_an_old_form_undoes_no_exclusion(client: TestClient, home: Home) -> None:
    home.config.write_text("[privacy]\napps = ['signal', 'added-meanwhile']\n")
    assert exclude(client, "apps", "signal", "signal\nnew") == 303
    assert Settings.load().privacy.apps == ["signal", "added-meanwhile", "new"]
    assert exclude(client, "apps", "signal", "") == 303
    assert Settings.load().privacy.apps == ["added-meanwhile", "new"]


def test_a_wrong_exclusion_changes_nothing(client: TestClient, home: Home) -> None:
    assert exclude(client, "sites", "", "https://*/x y") == 400
    assert exclude(client, "titles", "", "(") == 400
    assert Settings.load().privacy == Settings().privacy


def test_an_exclusion_that_the_environment_hides_is_refused(
    client: TestClient, home: Home, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMO_PRIVACY__APPS", '["x"]')
    answered = client.post("/exclusions", data={"was_apps": "x", "apps": "x\ny"}, headers=ORIGIN)
    assert answered.status_code == 400 and "MEMO_PRIVACY__APPS" in answered.text


def test_privacy_shows_the_newest_event_as_it_is_stored(client: TestClient) -> None:
    shown = client.get("/privacy").text
    assert '<th scope="row">operation</th><td>window_focus</td>' in shown and "<script>alert" not in shown
    assert "\u202e" not in shown


def test_history_shows_acts_with_a_link_to_why(client: TestClient) -> None:
    shown = client.get("/history").text
    assert 'href="/why/1"' in shown and 'href="/why/2"' in shown and "visit news.example" in shown


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ("site=news.example", {1}),
        ("app=editor", {2}),
        ("operation=web_visit", {1}),
        ("result=hit", {2}),
        ("text=NEWS.ex", {1}),
        ("text=%25", set()),
        ("result=miss", {1}),
        ("day=2026-03-02", {1, 2}),
        ("day=2025-03-02", set()),
        (f"before={(NOW + timedelta(minutes=9)).timestamp()}~3", {1}),
    ],
)
def test_history_is_filtered(client: TestClient, asked: str, ids: set[int]) -> None:
    shown = client.get(f"/history?{asked}").text
    assert {number for number in (1, 2, 3) if f'href="/why/{number}"' in shown} == ids


@pytest.mark.parametrize("path", ["/", "/history", "/history?operation=file_save"])
def test_a_save_is_told_as_a_save(client: TestClient, opened: Store, path: str) -> None:
    with opened.write() as session:
        row = session.get_one(EventRow, 3)
        row.operation, row.saved, row.target, row.app, row.detail = "file_access", True, "plan.odt", "", "/home/ada"
    assert "save plan.odt" in client.get(path).text


def test_history_goes_on_with_older_acts(client: TestClient, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr("ui.views.history_page.PAGE", 1)
    assert 'href="/history?result=&amp;' not in client.get("/history?result=").text
    [older] = re.findall(r'rel="next" href="(.*?)"', client.get("/history").text)
    assert 'href="/why/1"' in client.get(html.unescape(older)).text


def pages(client: TestClient, path: str) -> list[str]:
    """A page of the history and all older ones."""
    shown = [client.get(path).text]
    while older := re.findall(r'rel="next" href="(.*?)"', shown[-1]):
        shown.append(client.get(html.unescape(older[0])).text)
    return shown


def test_history_searches_so_many_events_a_page(client: TestClient, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr("db.page.acts.SEARCHED", (1,))
    shown = pages(client, "/history?text=news")
    assert ['href="/why/1"' in text for text in shown] == [False, True, False, False]
    assert ["not searched yet" in text for text in shown] == [True, True, True, False]
    ends = ["Nothing matches since 2026", "Nothing else matches since 2026", "Nothing matches since 2026", ".csv"]
    assert all(end in text for end, text in zip(ends[:3], shown, strict=False)) and "Nothing matches." in shown[3]
    assert "/history.csv?text=news" in shown[0], "it searches all"
    assert "since" not in client.get("/history?day=2026-03-02&text=absent").text


@pytest.mark.parametrize(("asked", "number"), [("site=news.example", 1), ("app=editor", 2), ("site=absent", 1)])
def test_history_begins_where_an_app_or_a_site_was_last(
    client: TestClient, monkeypatch: MonkeyPatch, asked: str, number: int
) -> None:
    monkeypatch.setattr("db.page.acts.SEARCHED", (1,))
    shown = pages(client, f"/history?{asked}")
    assert len(shown) == number and ("why/" in shown[0]) == ("absent" not in asked)


@pytest.mark.parametrize("place", ["2", "x~1", "nan~1", "1e99~1", "1~", "1~-1", f"1~{2**99}"])
def test_history_refuses_a_wrong_place(client: TestClient, place: str) -> None:
    assert client.get(f"/history?before={place}").status_code == 400


@pytest.mark.parametrize("day", ["yesterday", "9999-12-31"])
def test_history_names_a_wrong_day(client: TestClient, day: str) -> None:
    refused = client.get(f"/history?day={day}")
    assert refused.status_code == 400 and "write the day as 2026-03-02" in refused.text


def test_privacy_pauses_and_resumes(client: TestClient, home: Home) -> None:
    client.post("/pause", data={"span": "30m"}, headers=ORIGIN)
    paused = pauses.current(home)
    assert paused and paused.ends and "Recording is paused." in client.get("/privacy").text
    client.post("/pause", data={"do": "resume"}, headers=ORIGIN)
    assert pauses.current(home) is None


def test_forgetting_asks_first_and_then_deletes(client: TestClient, opened: Store) -> None:
    form = {"site": "news.example"}
    asked = client.post("/forget/preview", data=form, headers=ORIGIN).text
    assert "Forget this for good?" in asked and "Events: 1;" in asked and 'value="news.example"' in asked
    with opened.read() as session:
        assert session.get(EventRow, 2)
    assert "Events: 1;" in client.post("/forget", data=form, headers=ORIGIN).text
    with opened.read() as session:
        assert session.get(EventRow, 2) is None and session.get(EventRow, 1) is not None


def test_forgetting_a_day_takes_all_its_25_hours(client: TestClient, opened: Store, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_TIMEZONE", "Europe/Berlin")
    late = datetime(2025, 10, 26, 22, 30, tzinfo=UTC)  # half past eleven at night, after the clock was set back
    with opened.write() as session:
        store_events(session, Settings.load().scope, [Event(late, SITE.operation, "late.example")])
    form = {"since": "2025-10-26", "until": "2025-10-26"}
    assert "Events: 1;" in client.post("/forget", data=form, headers=ORIGIN).text


@pytest.mark.parametrize("path", ["/forget", "/forget/preview"])
def test_forgetting_needs_a_condition(client: TestClient, opened: Store, path: str) -> None:
    assert client.post(path, data={"app": " "}, headers=ORIGIN).status_code == 400
    with opened.read() as session:
        assert session.get(EventRow, 1)


@pytest.mark.parametrize("path", VIEWS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_view_shows_in_both_languages(client: TestClient, path: str, language: str) -> None:
    client.post("/language", data={"language": language}, headers=ORIGIN)
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("span", ["day", "week", "month"])
def test_day_shows_what_was_foreseen(client: TestClient, span: str) -> None:
    shown = client.get(f"/day?day=2026-03-02&span={span}").text
    assert "3 acts, of which 1 were foreseen" in shown and "news.example" in shown
    assert ('id="timeline"' in shown) == (span == "day")


@pytest.mark.parametrize("asked", ["day=x", "day=9999-12-31", "day=0001-01-01&span=month", "span=year"])
def test_day_names_a_wrong_choice(client: TestClient, asked: str) -> None:
    assert client.get(f"/day?{asked}").status_code == 400


def test_model_shows_how_often_it_was_right(client: TestClient) -> None:
    shown = client.get("/model").text
    assert "The next place was first in 50%" in shown
    assert "The built-in version serves." in shown


def test_an_unknown_version_is_not_activated(client: TestClient) -> None:
    refused = client.post("/activate", data={"version": "v9"}, headers=ORIGIN)
    assert refused.status_code == 400 and "There is no version v9" in refused.text


def test_effects_list_the_handlers(client: TestClient) -> None:
    assert '<th scope="row">launch_app</th>' in client.get("/effects").text


def switch(client: TestClient, handler: str, position: str) -> int:
    return client.post("/switch", data={"handler": handler, "switch": position}, headers=ORIGIN).status_code


def state_of(home: Home, name: str) -> str:
    return next(str(one["state"]) for one in list_handlers(home, Settings.load()) if one["name"] == name)


@pytest.mark.parametrize("name", [*handlers.installed()])
def test_each_handler_is_switched_on_dry_and_off(client: TestClient, home: Home, name: str) -> None:
    home.config.write_text("# mine\n")
    before = Settings.load().dispatch
    for position in ("off", "on", "dry", "on", "off"):
        assert switch(client, name, position) == 303 and state_of(home, name) == position
    assert home.config.read_text().startswith("# mine\n")
    now = Settings.load().dispatch
    assert now.routed == before.routed - {name} and set(now.on) == set(before.on) - {name}


@pytest.mark.parametrize(("name", "position"), [("log", "half"), ("absent", "on")])
def test_a_wrong_switch_changes_nothing(client: TestClient, name: str, position: str) -> None:
    assert switch(client, name, position) == 400 and Settings.load().dispatch == Settings().dispatch


def test_never_is_listed_and_taken_back(client: TestClient, opened: Store) -> None:
    client.post("/feedback", data={"prediction": "3", "rank": "2", "answer": "never"}, headers=ORIGIN)
    assert "visit news.example" in client.get("/effects").text
    with opened.read() as session:
        assert feedback.find_refusal(session, Settings.load().scope, SITE)
    assert client.post("/allow", data={"answer": "1"}, headers=ORIGIN).status_code == 303
    assert "visit news.example" not in client.get("/effects").text
    with opened.read() as session:
        assert feedback.find_refusal(session, Settings.load().scope, SITE) is None


@pytest.mark.parametrize("number", ["7", "x", ""])
def test_taking_back_what_was_never_said_is_refused(client: TestClient, opened: Store, number: str) -> None:
    assert client.post("/allow", data={"answer": number}, headers=ORIGIN).status_code == 400
    with opened.read() as session:
        assert session.get(FeedbackRow, 1) is None


def test_effects_tell_what_was_read_in_vain(client: TestClient, opened: Store) -> None:
    common = {"scope": Settings.load().scope, "action": {}, "probability": 0.5, "status": "done", "at": NOW}
    with opened.write() as session:
        session.add(DispatchRow(prediction_id=1, handler="preload_app", outcome="waste", read_bytes=7000, **common))
        session.add(
            DispatchRow(prediction_id=2, handler="preload_app", outcome="hit", read_bytes=9000, gain_s=1.5, **common)
        )
    assert "1.5 s saved, and 7.0 kB read in vain." in client.get("/effects").text


def test_history_is_exported_whole_and_harmless(client: TestClient, opened: Store, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr("ui.views.history_page.BATCH", 1)
    with opened.write() as session:
        session.get_one(EventRow, 3).target = '=cmd|"x"\x1b'
    answered = client.get("/history.csv")
    assert answered.headers["content-disposition"].startswith("attachment")
    [second, first] = csv.DictReader(io.StringIO(answered.text))
    assert (first["id"], first["target"], first["place_rank"]) == ("1", "news.example", "")
    assert (second["id"], second["target"], second["place_rank"]) == ("2", '\'=cmd|"x" ', "1")
    [only] = csv.DictReader(io.StringIO(client.get("/history.csv?result=miss").text))
    assert only["id"] == "1"


def test_a_version_is_activated_and_rolled_back(client: TestClient, opened: Store, home: Home) -> None:
    names = {"candidate": 0.75, "active": 0.5, "history": 0.4, "mru": 0.25, "frequent": 0.125}
    table = {name: {"hit@1": rate, "hit@3": rate, "n": 40} for name, rate in names.items()}
    metrics = {"judged": {"table": {"place": table}}, "events": 900}
    with opened.write() as session:
        versions.add_version(
            session, "v0001", Settings.load().scope, base="builtin", path="models/v0001", parent=None, metrics=metrics
        )
    (home.models / "v0001").mkdir(parents=True)
    assert client.post("/activate", data={"version": "v0001"}, headers=ORIGIN).status_code == 303
    shown = client.get("/model").text
    assert "v0001 serves." in shown and "75.0%" in shown and "40.0%" in shown
    assert "25.0%" in shown and "12.5%" not in shown, "the best simple rule alone"
    assert client.post("/rollback", headers=ORIGIN).status_code == 303
    assert "The built-in version serves." in client.get("/model").text
    assert client.post("/rollback", headers=ORIGIN).status_code == 500, "there is nothing to go back to"


def test_another_scope_can_be_shown(client: TestClient, opened: Store) -> None:
    assert 'name="scope"' not in client.get("/").text
    with opened.write() as session:
        scopes.lock_scope(session, "二@host")
    assert 'name="scope"' in client.get("/").text
    answered = client.post("/scope", data={"scope": "二@host"}, headers=ORIGIN | {"referer": f"{BASE}/history"})
    assert answered.headers["location"].startswith("/history")
    shown = client.get("/history").text
    assert "<option selected>二@host" in shown and "news.example" not in shown
    client.post("/scope", data={"scope": "gone@host"}, headers=ORIGIN)
    assert "visit news.example" in client.get("/history").text


def test_a_form_leads_to_no_foreign_place(client: TestClient) -> None:
    answered = client.post("/scope", headers=ORIGIN | {"referer": "http://evil.example//evil.example/"})
    assert answered.headers["location"] == "/"


def test_one_look_for_a_change_opens_the_store_once(home: Home, opened: Store, monkeypatch: MonkeyPatch) -> None:
    opens: list[object] = []
    monkeypatch.setattr(running, "state", lambda _home: {"problems": []})
    monkeypatch.setattr(store_access, "open_existing", _counted(store_access.open_existing, opens))
    app = SimpleNamespace(state=SimpleNamespace(home=home, queues=QueueCheck()))
    visit = Visit(Request({"type": "http", "headers": [], "app": app, "state": {"settings": Settings.load()}}))
    assert now._find_marks(visit) == now._find_marks(visit)
    assert len(opens) == 2


def _counted(do: Callable[..., Any], calls: list[object]) -> Callable[..., Any]:
    def counted(*given: Any) -> Any:
        calls.append(given)
        return do(*given)

    return counted


SILENT_S = 100.0
DRIFTED = "since 2026-03-02 12:00 the next place is foreseen worse than before"
STATES = ("claimed", "done", "dry", "failed", "stopped", "overrun")
RULES = ("apps", "sites", "folders", "titles", "builtin", "chromium_titles", "secrets", "titles_kept", "paused")
SAYS = {
    "failed": "OSError: /x was removed or replaced; it will be watched again",
    "watching": "1 files are not read (not regular files); /x/collector.log names them",
    "missing": "No sway of yours runs here; once one does, it is found by its socket.",
}
WRONG = [
    ("/nothing", None),
    ("/day?day=x", None),
    ("/day?span=year", None),
    ("/history?day=x", None),
    ("/history?before=x", None),
    ("/why/99", None),
    ("/feedback", {}),
    ("/feedback", {"prediction": "99", "rank": "1", "answer": "yes"}),
    ("/allow", {"answer": "x"}),
    ("/allow", {"answer": "7"}),
    ("/switch", {"handler": "log", "switch": "half"}),
    ("/switch", {"handler": "absent", "switch": "on"}),
    ("/activate", {"version": "v9"}),
    ("/activate", {"version": "v0002"}),
    ("/forget", {"app": " "}),
    ("/forget", {"since": "x"}),
    ("/forget/preview", {"site": "news.example"}),
    ("/forget/preview", {"site": "absent.example"}),
    ("/exclusions", {"titles": "("}),
    ("/exclusions", {"folders": "x"}),
    ("/exclusions", {"sites": "https://*/x"}),
    ("/pause", {"span": "30m"}),
    ("/pause", {"x": "y" * 70_000}),
]


@pytest.fixture
def troubled(client: TestClient, opened: Store, home: Home, monkeypatch: MonkeyPatch) -> TestClient:
    """The page of a home in which nothing is well."""
    scope = Settings.load().scope
    states = {"worker": "running", "dispatcher": "failed"}
    parts = [{"name": name, "state": state, "pid": 7, "restarts": 0} for name, state in states.items()]
    reported = {
        name: {"state": state, "says": SAYS[state], "failures": 1}
        for name, state in (("folders", "failed"), ("inbox", "watching"), ("sway", "missing"))
    }
    home.state.write_text(json.dumps({"pid": 7, "clock": "", "parts": parts}))
    heartbeat.file_of(home, "worker").touch()
    monkeypatch.setattr(running, "holder", lambda _home: 7)
    monkeypatch.setattr(heartbeat, "silent_s", lambda _file: SILENT_S)
    monkeypatch.setattr(running, "sources", lambda _home: reported)
    monkeypatch.setattr(sockets, "has_desktop", lambda: True)
    with opened.write() as session:
        batch = [Event(NOW + timedelta(hours=1), SITE.operation, SITE.target)]
        events.add_events(session, scope, batch, [events.Repeats().key(batch[0])])
        session.execute(update(EventRow).values(stored_at=NOW - timedelta(days=1)))
        cursors.record_cursor(session, "sway", "sway", {})
        jobs.record_run(session, jobs.BACKUP, f"{backups.FAILED}: the store is damaged (its file is gone); {REMEDY}")
        for rule in RULES:
            redactions.add_redactions(session, "web", {rule: 1})
        handlers_rows.record_rest(session, scope, "launch_app", "its last 20 attempts cost 9.0 s and saved 1.0 s")
        for number, state in enumerate(STATES):
            said = "confidence: 0.10 is below 0.30" if state == "stopped" else "the app runs already"
            common = {"scope": scope, "action": action_as_dict(SITE), "probability": 0.5, "at": NOW, "detail": said}
            session.add(DispatchRow(prediction_id=2, handler=f"h{number}", status=state, **common))
            session.add(DispatchRow(prediction_id=3, handler=f"h{number}", status=state, **common))
        for name in ("v0001", "v0002"):
            path = f"models/{name}"
            versions.add_version(session, name, scope, base="builtin", path=path, parent=None, metrics={})
        versions.record_active(session, scope, "v0001")
        scopes.lock_scope(session, "二@host").history_alone = DRIFTED
    home.config.write_text("[sources]\non = ['inbox', 'folders', 'sway', 'x11', 'absent']\n[dispatch]\non=['notify']\n")
    assert client.post("/language", data={"language": "zh"}, headers=ORIGIN).status_code == 303
    return client


OTHER = re.compile(r"missing \) at position \d|\S*[/.@:_<]\S*")
"""What is no sentence: a reason of the package regex, addresses and paths."""


class VisibleText(HTMLParser):
    """What a reader sees or hears of a page, without what they write and what is shown as it is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag if tag in ("script", "style", "textarea", "code") else self._hidden
        self.texts += [given or "" for name, given in attrs if name in ("aria-label", "data-label", "title", "lang")]

    def handle_endtag(self, tag: str) -> None:
        self._hidden = "" if tag == self._hidden else self._hidden

    def handle_data(self, data: str) -> None:
        self.texts += [] if self._hidden else [data]


def english_of(shown: str) -> list[str]:
    """Return each run of English words in a page; `OTHER` is none."""
    parser = VisibleText()
    parser.feed(shown)
    plain = [OTHER.sub(" . ", text) for text in parser.texts]
    return [run for text in plain for run in re.findall(r"[A-Za-z']{2,}(?: [A-Za-z']{2,})+", text)]


def test_a_page_in_english_would_be_noticed(troubled: TestClient) -> None:
    assert "has been stuck for" in english_of('<p title="x">The worker (process 7) has been stuck for 9 s.</p>')
    troubled.post("/language", data={"language": "en"}, headers=ORIGIN)
    assert len(english_of(troubled.get("/").text)) > 20


@pytest.mark.parametrize("view", [*VIEWS, "/why/2", "/day?day=2026-03-02", "/privacy?retired=v0001"])
def test_a_chinese_page_has_no_english_sentence(troubled: TestClient, view: str) -> None:
    shown = troubled.get(view)
    assert shown.status_code == 200 and '<html lang="zh-Hans">' in shown.text and 'lang="en">English' in shown.text
    assert english_of(shown.text) == []
    assert all(
        word in shown.text for word in ("停住", "崩溃", "失败", "看不到", "还没有预测", "没有使用版本", "没有做成备份")
    )


@pytest.mark.parametrize(("path", "form"), WRONG)
def test_a_chinese_answer_has_no_english_sentence(troubled: TestClient, path: str, form: dict[str, str] | None) -> None:
    shown = troubled.get(path) if form is None else troubled.post(path, data=form, headers=ORIGIN)
    assert english_of(shown.text) == []


@pytest.mark.parametrize("text", ["[privacy]\nsites = [", "nonsense = 1", "[privacy]\nfolders = ['x']"])
def test_wrong_settings_are_named_on_the_page(client: TestClient, home: Home, text: str) -> None:
    client.post("/language", data={"language": "zh"}, headers=ORIGIN)
    home.config.write_text(text)
    shown = client.get("/")
    assert shown.status_code == 400 and str(home.config) in shown.text and "改正" in shown.text
    assert client.get("/static/page.css").status_code == 200


def test_a_time_of_another_day_has_its_date(client: TestClient, opened: Store) -> None:
    assert "2026-03-02 12:09:00" in client.get("/").text
    with opened.write() as session:
        for row in session.scalars(select(EventRow)):
            row.at = datetime.now(UTC)
    assert f"{datetime.now(Settings.load().zone):%Y-%m-%d} " not in client.get("/").text


def test_sources_that_are_off_share_a_line(client: TestClient, home: Home) -> None:
    home.config.write_text("[sources]\non = ['inbox']\n")
    shown = client.get("/privacy").text
    assert shown.count("memo setup") == 1 and re.search(
        '<th scope="row">activitywatch, .*, x11</th><td>off</td>', shown
    )


def test_forgetting_nothing_asks_nothing(client: TestClient) -> None:
    shown = client.post("/forget/preview", data={"site": "absent.example"}, headers=ORIGIN).text
    assert "Nothing matches." in shown and "for good?" not in shown
