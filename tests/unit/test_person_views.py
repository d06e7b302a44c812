"""The three views of what a person does next: truths, answers and scores of streams written by hand."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cli.models.person_tables import sentence
from memo.core.events import Action, Event, Operation
from memo.core.predictions import NextAction, NextPlace, Ranking
from training.evaluation import person_scores, person_views
from training.evaluation.metrics import Key
from training.evaluation.person_views import Outcome, Outcomes
from worker.predictors.mixed import MixedPredictor

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def focus(minute: float, title: str, app: str) -> Event:
    return Event(START + timedelta(minutes=minute), Operation.WINDOW_FOCUS, title, app)


def visit(minute: float, domain: str) -> Event:
    return Event(START + timedelta(minutes=minute), Operation.WEB_VISIT, domain)


def start(minute: float, app: str) -> Event:
    return Event(START + timedelta(minutes=minute), Operation.PROCESS_START, app)


def truths(events: Sequence[Event]) -> list[dict[str, str]]:
    """Return the name of the truth in each view, after each human action."""
    steps = list(person_views.person_steps(events))
    found = [person_views.truths(steps, number) for number in range(len(steps))]
    return [{view: key.action.target or key.action.place for view, key in truth.items()} for truth in found]


def silent(_done: int, _total: int) -> None:
    return None


def ask(events: Sequence[Event]) -> Outcomes:
    return person_views.ask(MixedPredictor(), events, 5, silent)


def random_days(count: int) -> list[Event]:
    rng = random.Random(7)
    events = [focus(minute, rng.choice("xyz"), rng.choice("ABCD")) for minute in range(count)]
    return [rng.choice([event, event, start(minute, "P")]) for minute, event in enumerate(events)]


def test_truths_of_a_stream_by_hand() -> None:
    day = [
        focus(0, "a", "Mail"),
        start(1, "Updater"),
        focus(2, "(3) b", "Mail"),
        visit(5, "a.b"),
        focus(40, "a", "Mail"),
    ]
    assert truths(day) == [
        {"fine": "b", "place": "Mail", "switch": "a.b"},
        {"fine": "a.b", "place": "a.b"},
        {"switch": "Mail"},
        {},
    ], "no switch is asked where the place is kept; after 35 minutes only a switch counts"


def test_truth_of_a_switch_comes_within_an_hour() -> None:
    stay = [focus(minute, "a", "Mail") for minute in range(0, 60, 20)]
    assert truths([*stay, visit(60, "a.b")])[0]["switch"] == "a.b"
    assert "switch" not in truths([*stay, visit(61, "a.b")])[0]


def test_first_question_follows_the_past() -> None:
    assert person_views.first_question(100) == 60
    assert person_views.first_question(10_000) == 8_499, "1,500 actions have a next one"


def test_answers_leave_the_present_place_out_of_a_switch() -> None:
    def place(app: str) -> Action:
        return Action(Operation.WINDOW_FOCUS, "", app)

    person = [NextAction(Action(Operation.WINDOW_FOCUS, f"{count}a", "X"), 0.25) for count in ("", "(2) ")]
    places = [NextPlace(place("X"), 0.5), NextPlace(place("Y"), 0.3), NextPlace(place("Z"), 0.2)]
    found = person_views.answers(Ranking(places=places, person=person), Key(place("X")))
    assert found["fine"] == {Key(Action(Operation.WINDOW_FOCUS, "a", "X")): 0.5}
    assert list(found["place"].values()) == [0.5, 0.3, 0.2]
    assert found["switch"] == {Key(place("Y")): pytest.approx(0.6), Key(place("Z")): pytest.approx(0.4)}


def test_ask_ranks_the_truth_by_each_rule() -> None:
    places = "ABCABCABCD"
    (fine, place, switch) = ask([focus(minute, "t", app) for minute, app in enumerate(places)]).values()
    assert [outcome.ranks["ppm"] for outcome in place] == [1, 1, None], "after A and B, and D is new"
    assert [outcome.ranks["mru"] for outcome in place] == [3, 3, None]
    assert [outcome.ranks["mru"] for outcome in switch] == [2, 2, None], "the present place can't come next"
    assert [outcome.ranks["ppm"] for outcome in fine] == [outcome.ranks["ppm"] for outcome in place]


class Recorder(MixedPredictor):
    """Keeps its answers, by the number of events learned before."""

    def __init__(self) -> None:
        super().__init__()
        self.learned = 0
        self.answers: dict[int, Ranking] = {}

    def learn(self, event: Event, ranks: bool = True) -> None:
        super().learn(event, ranks)
        self.learned += 1

    def predict(self, window: Sequence[Event], top: int) -> Ranking:
        self.answers[self.learned] = super().predict(window, top)
        return self.answers[self.learned]


def test_a_permuted_future_changes_no_earlier_answer() -> None:
    events, cut = random_days(150), 120
    future = random.Random(1).sample(events[cut:], len(events) - cut)
    moved = [replace(new, at=old.at) for old, new in zip(events[cut:], future, strict=True)]
    asked, again = Recorder(), Recorder()
    one, other = (
        person_views.ask(predictor, stream, 5, silent)
        for predictor, stream in ((asked, events), (again, events[:cut] + moved))
    )
    before = [learned for learned in asked.answers if learned <= cut]
    assert len(before) > 10 and asked.answers != again.answers
    assert [asked.answers[learned] for learned in before] == [again.answers[learned] for learned in before]
    assert one["place"][: len(before) - 1] == other["place"][: len(before) - 1], "the baselines know no future, either"


def outcomes(count: int) -> list[Outcome]:
    ranks = {"mru": 2, "mfu": None, "markov1": None, "ppm": None, "frecency": None}
    return [
        Outcome({"memo": 1 if n % 2 else 3, **ranks, "ppm": 1 if n % 5 == 0 else None}, 0.5, 0.5) for n in range(count)
    ]


def test_score_compares_with_the_best_rule_of_each_cut() -> None:
    found = person_scores.score(outcomes(40))
    assert found["scores"]["memo"]["hit@1"] == 0.5
    assert found["scores"]["memo"]["log_loss"] == pytest.approx(0.6931, abs=1e-4)
    assert {metric: gain["baseline"] for metric, gain in found["ahead"].items()} == {
        "hit@1": "ppm",
        "hit@3": "mru",
        "hit@5": "mru",
    }
    assert found["ahead"]["hit@1"]["difference"] == pytest.approx(0.3)


def test_score_of_too_few_questions_is_their_number() -> None:
    assert person_scores.score(outcomes(29)) == {"n": 29}


def test_sentence_names_the_best_rules() -> None:
    found = person_scores.score(outcomes(40))
    assert sentence(found, "en") == (
        "When you went to another app, site or folder, MEMO had ranked it first in 50 %, among the first three in "
        "100 % of the cases; the best simple rule in 20 % (what followed the last few) and 100 % (the most recent "
        "first)."
    )
    assert "50%" in sentence(found, "zh") and "20%（最近几个之后出现过的在前）" in sentence(found, "zh")
