"""An answer is a row, reaches the next prediction, outlives a restart, and can be forgotten."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from calling import memo
from resources import new_resources
from sqlalchemy import select
from stores import store_events

from db.intake import events
from db.models import FeedbackRow, PredictionRow
from db.prediction import feedback, predictions
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.predictions import Answer
from memo.core.settings import Settings
from training.build_version import find_answers
from worker.prediction.update import ScopeUpdater
from worker.predictors.reader import Reader
from worker.predictors.serving import Serving
from worker.resources import Resources

SCOPE = "ada@host"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Alone(Serving):
    """Without a language model."""

    def reader(self, version: str, folder: object) -> Reader | None:
        return None


@pytest.fixture
def opened(database_url: str, redis_url: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Resources]:
    settings = {"DATABASE_URL": database_url, "BROKER_URL": redis_url, "SCOPE": SCOPE}
    for name, value in settings.items():
        monkeypatch.setenv(f"MEMO_{name}", value)
    with new_resources(Settings.load(), home) as context:
        yield context


def updater(opened: Resources) -> ScopeUpdater:
    made = ScopeUpdater(opened)
    made.models.serving = Alone(opened.settings.model)
    return made


def happen(opened: Resources, names: str) -> None:
    with opened.store.write() as session:
        first = events.find_last_seq(session, SCOPE)
        happened = [
            Event(START + timedelta(seconds=first + n), Operation.WEB_VISIT, f"{name}.example")
            for n, name in enumerate(names)
        ]
        store_events(session, SCOPE, happened)


def newest(opened: Resources) -> PredictionRow:
    with opened.store.read() as session:
        row = session.scalar(select(PredictionRow).order_by(PredictionRow.id.desc()).limit(1))
    assert row is not None
    return row


def said(row: PredictionRow, name: str) -> float:
    return float(next(one["probability"] for one in row.candidates if one["action"]["target"] == f"{name}.example"))


def test_a_refused_suggestion_is_said_less_where_it_was_refused(opened: Resources) -> None:
    one = updater(opened)
    happen(opened, "abacabacaba")
    one.update(SCOPE)
    first = newest(opened)
    name = first.candidates[0]["action"]["target"][0]
    told = memo("feedback", str(first.id), "never")
    assert told.exit_code == 0 and f"Noted: never to visit {name}.example." in told.output
    happen(opened, "caba")
    one.update(SCOPE)
    again = newest(opened)
    assert again.id != first.id and said(again, name) < 0.1 * said(first, name)
    asked = json.loads(memo("predict", "--json").stdout)["candidates"]
    assert [one["probability"] < 0.1 for one in asked if name in one["action"]["target"][:1]] == [True]
    happen(opened, "caba")
    updater(opened).update(SCOPE)
    assert said(newest(opened), name) < 0.1 * said(first, name), "another worker knows it too"


def test_answer_survives_a_restart_once(opened: Resources) -> None:
    one = updater(opened)
    happen(opened, "abacabacaba")
    one.update(SCOPE)
    memo("feedback", str(newest(opened).id), "no")
    happen(opened, "caba")
    one.update(SCOPE)
    one.models.close()
    two = updater(opened)
    happen(opened, "caba")
    for each in (one, two):
        each.update(SCOPE)
    told = [each.models.held[SCOPE].predictor.feedback._answers for each in (one, two)]
    assert told[0] == told[1] and [sum(counts.values()) for counts in told[0].values()] == [1]


def test_a_training_learns_from_the_last_answer_to_a_suggestion(opened: Resources) -> None:
    happen(opened, "abacabacaba")
    updater(opened).update(SCOPE)
    row = newest(opened)
    said = [(1, Answer.NEVER), (2, Answer.NO), (2, Answer.YES), (2, Answer.NO)]
    with opened.store.write() as session:
        never, *_ = [
            feedback.add_answer(session, row, row.candidates[rank - 1]["action"], answer).id for rank, answer in said
        ]
    names = [one["action"]["target"] for one in row.candidates]
    learned = [(given.about.target, given.answer) for given in find_answers(opened.store, SCOPE)]
    assert learned == [(names[0], Answer.NEVER), (names[1], Answer.NO)]
    with opened.store.write() as session:
        feedback.record_return(session, SCOPE, never)
    learned = [(given.about.target, given.answer) for given in find_answers(opened.store, SCOPE)]
    assert learned == [(names[1], Answer.NO)], "what may be suggested again neither came nor stayed away"


def test_answer_skips_context_events(opened: Resources) -> None:
    happen(opened, "ab")
    mark = Event(START + timedelta(minutes=1), Operation.SESSION_START)
    with opened.store.write() as session:
        store_events(session, SCOPE, [mark])
    updater(opened).update(SCOPE)
    row = newest(opened)
    with opened.store.write() as session:
        noted = feedback.add_answer(session, row, row.candidates[0]["action"], Answer.NO)
        assert noted.after["target"] == "b.example"


def test_answer_is_about_what_was_expected_of_the_person(opened: Resources) -> None:
    happen(opened, "abab")
    noise = [Event(START + timedelta(seconds=10 + n), Operation.PROCESS_START, "updater") for n in range(5)]
    with opened.store.write() as session:
        store_events(session, SCOPE, noise)
    updater(opened).update(SCOPE)
    row = newest(opened)
    assert row.candidates[0]["action"]["target"] == "updater", "likeliest of all events, but nobody is shown it"
    memo("feedback", str(row.id), "never")
    memo("feedback", str(row.id), "no", "--rank", "2")
    with opened.store.read() as session:
        answered = [one.action["target"] for one in session.scalars(select(FeedbackRow).order_by(FeedbackRow.id))]
    assert answered == [one["action"]["target"] for one in row.person[:2]]


@pytest.mark.parametrize("words", [["7", "no"], ["1", "no", "--rank", "99"]])
def test_answer_to_missing_suggestion_is_refused(opened: Resources, words: list[str]) -> None:
    happen(opened, "ab")
    updater(opened).update(SCOPE)
    done = memo("feedback", *words)
    assert done.exit_code != 0 and "memo history" in str(done.exception)
    with opened.store.read() as session:
        assert session.scalars(select(FeedbackRow)).all() == []


@pytest.mark.parametrize(("text", "left"), [("a.example", 0), ("b.example", 0), ("z.example", 1)])
def test_forget_deletes_answers_that_name_it(opened: Resources, text: str, left: int) -> None:
    happen(opened, "ababab" + "z" + "ab")
    updater(opened).update(SCOPE)
    row = newest(opened)
    first = next(one["action"] for one in row.candidates if one["action"]["target"] == "a.example")
    with opened.store.write() as session:
        feedback.add_answer(session, row, first, Answer.NO)
    assert memo("forget", "--text", text, "--yes").exit_code == 0
    with opened.store.read() as session:
        assert len(session.scalars(select(FeedbackRow)).all()) == left
        kept = predictions.find_prediction(session, row.id)
        assert kept is None or text not in str(kept.candidates)
