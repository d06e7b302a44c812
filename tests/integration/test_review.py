"""The daily review: scores of what was served, drift, and promoted versions that lose their lead."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from notified import Server
from notified import serving as serving_notifications
from session_bus import Bus
from sqlalchemy import select
from sqlalchemy.orm import Session
from stores import make_store, store_events

from db.engine import Store, open_store
from db.intake import scopes
from db.models import PredictionRow, ServedScoreRow
from db.prediction import versions
from db.upkeep import health, jobs, retrain
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import ScheduleSettings, Settings
from memo.store import manifest
from training import build_version
from training.build_version import TooFew
from training.evaluation.person_views import VIEWS, Outcome, Outcomes
from training.evaluation.served import LEARNED
from training.judgement import AnswerCost, PersonAnswers
from training.promote import MAX_JUDGED, Stream
from training.review import review
from worker.predictors.serving import BUILTIN_ADAPTER

SCOPE = "a@b"
APPS = ("editor", "mail", "shell")  # in turn
DAY_ACTS = 200
START = datetime(2026, 3, 2, 1, tzinfo=UTC)


@pytest.fixture
def store(home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    monkeypatch.setenv("MEMO_SCOPE", SCOPE)
    make_store(Settings.load(), home)
    with closing(open_store(Settings.load(), home)) as opened:
        yield opened


def serve(store: Store, begin: int, end: int, foreseen: bool, version: str = "builtin") -> None:
    """Store acts in the apps in turn, each with the prediction before it: right, or one in which nothing is right."""
    happened = [
        Event(START + timedelta(days=n // DAY_ACTS, minutes=n % DAY_ACTS), Operation.WINDOW_FOCUS, "", APPS[n % 3])
        for n in range(begin, end)
    ]
    with store.write() as session:
        store_events(session, SCOPE, happened)
        session.flush()
        session.add_all(_prediction(n, foreseen, version) for n in range(max(1, begin), end))


def _prediction(number: int, foreseen: bool, version: str) -> PredictionRow:
    place = {"operation": "window_focus", "name": APPS[number % 3] if foreseen else "other", "probability": 0.8}
    return PredictionRow(
        scope=SCOPE,
        last_event_id=number,
        made_at=START,
        model_version=version,
        latency_ms=1.0,
        candidates=[],
        upcoming=[],
        places=[place],
        person_event_id=number + 1,
        new_probability=0.0,
    )


def find_scores(session: Session, view: str) -> Sequence[ServedScoreRow]:
    row = ServedScoreRow
    return session.scalars(select(row).where(row.scope == SCOPE, row.view == view).order_by(row.day)).all()


def serving(store: Store) -> str:
    with store.read() as session:
        return versions.find_serving_name(session, SCOPE, SCOPE)


def outlook(store: Store) -> retrain.Outlook:
    with store.read() as session:
        return retrain.find_outlook(session, SCOPE, ScheduleSettings(retrain_actions=1_000), datetime.now(UTC))


def test_days_are_scored_beside_the_rules(store: Store, home: Home) -> None:
    serve(store, 0, 2 * DAY_ACTS, foreseen=True)
    found = review(store, home, Settings.load(), SCOPE)
    assert (found["hit@1"], found["baseline"]["name"], found["changed"]) == (1.0, "markov1", "")
    with store.read() as session:
        days = find_scores(session, "switch")
    assert [(row.acts, row.hit_1, row.mru_1, row.mru_3, row.markov1_1) for row in days] == [
        (DAY_ACTS - LEARNED - 1, 1.0, 0.0, 1.0, 1.0),
        (DAY_ACTS, 1.0, 0.0, 1.0, 1.0),
    ]
    assert days[0].log_loss == pytest.approx(0.223, abs=1e-3) and days[0].ece == pytest.approx(0.2)


def test_a_second_review_of_a_day_replaces_the_first(store: Store, home: Home) -> None:
    for end in (150, 190):
        serve(store, end - 150 and 150, end, foreseen=True)
        review(store, home, Settings.load(), SCOPE)
    with store.read() as session:
        assert [row.acts for row in find_scores(session, "place")] == [190 - LEARNED - 1]


def test_too_few_acts_tell_nothing(store: Store, home: Home) -> None:
    serve(store, 0, 110, foreseen=True)
    with pytest.raises(TooFew, match="9 actions are too few to review; 30 are needed"):
        review(store, home, Settings.load(), SCOPE)


def test_drift_lets_history_answer_and_training_be_due(store: Store, home: Home) -> None:
    serve(store, 0, 500, foreseen=True)
    serve(store, 500, 540, foreseen=False)
    assert not outlook(store).is_due
    found = review(store, home, Settings.load(), SCOPE)
    assert found["changed"].startswith("history answers alone: since ")
    assert serving(store) == versions.HISTORY
    assert outlook(store).is_due and outlook(store).reason.startswith("predictions became worse on ")
    with store.read() as session:
        [problem] = health.find_problems(session, Settings.load(), home, is_running=False)
    assert problem.startswith(f"In {SCOPE} the language model is off: since ")
    assert review(store, home, Settings.load(), SCOPE)["changed"] == "", "what was acted upon is told once"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("handlers", "is_quiet", "owner", "shown"),
    [
        ('["notify"]', False, SCOPE, 1),
        ("[]", False, SCOPE, 0),
        ('["notify"]', True, SCOPE, 0),
        ('["notify"]', False, "c@d", 0),
    ],
    ids=["handler on", "handler off", "quiet hours", "scope of a replay"],
)
def test_drift_is_shown_once_on_the_desktop(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch, handlers: str, is_quiet: bool, owner: str, shown: int
) -> None:
    monkeypatch.setenv("MEMO_SCOPE", owner)
    bus, now, hour = Bus(), datetime.now(Settings.load().zone), timedelta(hours=1)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
    monkeypatch.setenv("MEMO_DISPATCH__ON", handlers)
    if is_quiet:
        monkeypatch.setenv("MEMO_DISPATCH__QUIET_HOURS", f"{now - hour:%H:%M}-{now + hour:%H:%M}")
    server = Server(bus.address)
    serve(store, 0, 500, foreseen=True)
    serve(store, 500, 540, foreseen=False)
    with serving_notifications(server):
        for _ in range(2):
            review(store, home, Settings.load(), SCOPE)
    bus.end()
    assert [call[3] for call in server.shown] == ["MEMO: predictions became worse"] * shown
    assert all(call[-1] == 0 for call in server.shown), "until it is dismissed, as nobody is there"


def test_drift_is_told_where_there_is_no_desktop(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={home.root}/none")
    monkeypatch.setenv("MEMO_DISPATCH__ON", '["notify"]')
    serve(store, 0, 500, foreseen=True)
    serve(store, 500, 540, foreseen=False)
    assert review(store, home, Settings.load(), SCOPE)["changed"] and serving(store) == versions.HISTORY


def test_a_version_made_active_ends_what_drift_began(store: Store, home: Home) -> None:
    with store.write() as session:
        jobs.record_run(session, retrain.name_drift(SCOPE), "worse")
        build_version.activate(session, SCOPE, versions.HISTORY)
    make_version(store, home, "v0001", promoted=True)
    assert serving(store) == "v0001"
    with store.read() as session:
        assert health.find_problems(session, Settings.load(), home, is_running=False) == []
        assert build_version.find_replaced(session, SCOPE) == versions.HISTORY


def make_version(store: Store, home: Home, name: str, promoted: bool) -> None:
    """Make a version active that is the built-in adapter, as of a day before all acts."""
    folder = home.models / name
    shutil.copytree(BUILTIN_ADAPTER, folder)
    with store.write() as session:
        scopes.lock_scope(session, SCOPE)
        metrics = {"judged": {"promoted": promoted}, "content": manifest.read(folder)["content"]}
        path = f"models/{name}"
        versions.add_version(session, name, SCOPE, base="builtin", path=path, parent=None, metrics=metrics)
        build_version.activate(session, SCOPE, name)
        row = versions.find_version(session, name)
        row.metrics = row.metrics | {"activated_at": (START - timedelta(days=1)).isoformat()}


def answering(truths: dict[str, float], asked: list[str], questions: int = 60) -> Callable[..., PersonAnswers]:
    """Return what asks versions, each of which gives all truths the same probability."""

    def ask(_settings: Settings, version: versions.Usable, _stream: Stream) -> PersonAnswers:
        asked.append(version.name)
        outcome = Outcome({"memo": 1}, 1.0, truths[version.name])
        return PersonAnswers(Outcomes({view: [outcome] * questions for view in VIEWS}), AnswerCost(0.01))

    return ask


@pytest.mark.parametrize(("truth", "serves"), [(0.4, "v0001"), (0.5, "v0002"), (0.6, "v0002")])
def test_version_that_lost_its_lead_is_taken_back(store: Store, home: Home, truth: float, serves: str) -> None:
    make_version(store, home, "v0001", promoted=False)
    make_version(store, home, "v0002", promoted=True)
    serve(store, 0, 2 * DAY_ACTS, foreseen=True, version="v0002")
    asked: list[str] = []
    found = review(store, home, Settings.load(), SCOPE, answering({"v0001": 0.5, "v0002": truth}, asked))
    assert asked == ["v0002", "v0001"] and serving(store) == serves
    if serves == "v0001":
        assert found["changed"].startswith("v0002 was taken back: in 60 actions since it serves, its log-loss")
        assert "0.223 nats higher than v0001 would have had" in found["changed"]
    else:
        assert found["changed"] == ""
    with store.read() as session:
        assert versions.find_version(session, "v0002").metrics["live"]["n"] == 60


def test_version_that_kept_its_lead_long_enough_is_let_be(store: Store, home: Home) -> None:
    make_version(store, home, "v0001", promoted=True)
    asked: list[str] = []
    for end in (MAX_JUDGED - 1, MAX_JUDGED, MAX_JUDGED + 1):
        serve(store, 0 if end < MAX_JUDGED else end - 1, end, foreseen=True, version="v0001")
        review(store, home, Settings.load(), SCOPE, answering({"builtin": 0.5, "v0001": 0.6}, asked))
    assert asked == ["v0001", "builtin"] * 2, "not once more"


def test_review_of_another_scope_takes_nothing_back(store: Store, home: Home) -> None:
    """It is served by the default scope's version, which is judged by the acts of that scope."""
    make_version(store, home, "v0001", promoted=True)
    serve(store, 0, 2 * DAY_ACTS, foreseen=True, version="v0001")
    with store.write() as session:
        scopes.lock_scope(session, "c@d")
    asked: list[str] = []
    with pytest.raises(TooFew):
        review(store, home, Settings.load(), "c@d", answering({"builtin": 0.9, "v0001": 0.1}, asked))
    assert asked == [] and serving(store) == "v0001"


def test_version_that_replaced_history_gives_way_to_it(store: Store, home: Home) -> None:
    with store.write() as session:
        versions.record_history_alone(session, SCOPE, "worse")
    make_version(store, home, "v0001", promoted=True)
    with store.write() as session:
        assert versions.record_taken_back(session, "v0001", "no better") and versions.find_in_service(session) == set()
        assert not versions.record_taken_back(session, "v0001", "no better"), "it serves no more"
    assert serving(store) == versions.HISTORY


def test_nothing_is_trained_where_its_owner_wants_no_model(store: Store, home: Home) -> None:
    serve(store, 0, 1_200, foreseen=True)
    assert outlook(store).is_due
    with store.write() as session:
        build_version.activate(session, SCOPE, versions.HISTORY)
    assert not outlook(store).is_due and outlook(store).reason.startswith("none, as no language model")


def test_version_that_a_person_chose_is_not_taken_back(store: Store, home: Home) -> None:
    make_version(store, home, "v0001", promoted=False)
    serve(store, 0, 2 * DAY_ACTS, foreseen=True, version="v0001")
    asked: list[str] = []
    assert review(store, home, Settings.load(), SCOPE, answering({}, asked))["changed"] == "" and asked == []
