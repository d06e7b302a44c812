"""What is refused loses rank where it was refused, what is accepted gains, and "never" holds everywhere."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from memo.core.events import Action, Event, Operation
from memo.core.predictions import Answer, Ranking
from worker.predictors.feedback import MOST
from worker.predictors.mixed import MixedPredictor

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def visit(name: str) -> Action:
    return Action(Operation.WEB_VISIT, name)


def taught(names: str) -> MixedPredictor:
    predictor = MixedPredictor()
    for n, name in enumerate(names):
        predictor.learn(Event(START + timedelta(minutes=2 * n), Operation.WEB_VISIT, name))
    return predictor


def asked(predictor: MixedPredictor, last: str) -> Ranking:
    return predictor.predict([Event(START, Operation.WEB_VISIT, last)], 10)


def odds(ranking: Ranking, name: str) -> float:
    [p] = [one.probability for one in ranking.candidates if one.action == visit(name)]
    return p / (1 - p)


def total(ranking: Ranking) -> float:
    return sum(one.probability for one in ranking.candidates) + ranking.new_probability


@pytest.mark.parametrize(
    ("answers", "times"),
    [
        ([Answer.NO], 1 / 2),
        ([Answer.NO, Answer.NO], 1 / 3),
        ([Answer.YES], 2),
        ([Answer.YES, Answer.NO], 1),
        ([Answer.NO] * 50, 1 / (1 + MOST)),
        ([Answer.NEVER], 0.01),
        ([Answer.NEVER, Answer.YES], 2),
    ],
)
def test_an_answer_multiplies_the_odds(answers: Sequence[Answer], times: float) -> None:
    predictor = taught("abacabacaba")
    before = asked(predictor, "a")
    for answer in answers:
        predictor.feedback.learn(visit("a"), visit("b"), answer)
    after = asked(predictor, "a")
    assert odds(after, "b") == pytest.approx(times * odds(before, "b"))
    assert total(after) == pytest.approx(total(before)) == pytest.approx(1)


def test_a_refusal_holds_where_it_was_given_never_everywhere() -> None:
    predictor = taught("abacabacab")
    before = asked(predictor, "b")
    predictor.feedback.learn(visit("c"), visit("a"), Answer.NO)
    assert asked(predictor, "b") == before
    predictor.feedback.learn(visit("c"), visit("a"), Answer.NEVER)
    assert odds(asked(predictor, "b"), "a") == pytest.approx(0.01 * odds(before, "a"))


def odds_of(probability: float) -> float:
    return probability / (1 - probability)


def test_what_is_upcoming_is_weighed_too() -> None:
    predictor = taught("abacabacaba")
    before = {one.action.target: one.probability for one in asked(predictor, "a").upcoming}
    predictor.feedback.learn(visit("a"), visit("b"), Answer.NEVER)
    after = asked(predictor, "a").upcoming
    assert after[-1].action == visit("b") and odds_of(after[-1].probability) == pytest.approx(
        0.01 * odds_of(before["b"])
    )
    assert {one.action.target: one.probability for one in after if one.action != visit("b")} == {
        name: p for name, p in before.items() if name != "b"
    }


def titles(names: str) -> MixedPredictor:
    """Windows, each in the app of the same letter in upper case, or b and c in B."""
    predictor = MixedPredictor()
    for n, name in enumerate(names):
        app = {"c": "B"}.get(name, name.upper())
        predictor.learn(Event(START + timedelta(minutes=2 * n), Operation.WINDOW_FOCUS, name, app))
    return predictor


def by_name(ranking: Ranking) -> tuple[dict[str, float], dict[str, float]]:
    """The probabilities of the person's places and actions."""
    places = {one.place.place: one.probability for one in ranking.places}
    return places, {one.action.target: one.probability for one in ranking.person}


@pytest.mark.parametrize("answer", Answer)
def test_what_the_person_does_next_is_weighed_with_its_place(answer: Answer) -> None:
    predictor, after = titles("abacabacadabaca"), Action(Operation.WINDOW_FOCUS, "a", "A")
    (places, actions) = by_name(asked(predictor, "a"))
    predictor.feedback.learn(after, Action(Operation.WINDOW_FOCUS, "d", "D"), answer)
    ranking = asked(predictor, "a")
    (new_places, new_actions) = by_name(ranking)
    factor = {Answer.YES: 2.0, Answer.NO: 0.5, Answer.NEVER: 0.01}[answer]
    assert odds_of(new_places["D"]) == pytest.approx(factor * odds_of(places["D"]))
    assert odds_of(new_actions["d"]) == pytest.approx(factor * odds_of(actions["d"]))
    assert new_places["B"] / new_places["A"] == pytest.approx(places["B"] / places["A"]), "others keep their shares"
    assert sum(new_places.values()) + ranking.new_place == pytest.approx(1)
    assert sum(new_actions.values()) <= 1
    assert [one.probability for one in ranking.person] == sorted(new_actions.values(), reverse=True)


def test_a_place_loses_no_more_than_the_refused_action_in_it() -> None:
    predictor, after = titles("abacabacadabaca"), Action(Operation.WINDOW_FOCUS, "a", "A")
    (places, actions) = by_name(asked(predictor, "a"))
    predictor.feedback.learn(after, Action(Operation.WINDOW_FOCUS, "b", "B"), Answer.NEVER)
    new_places, _ = by_name(asked(predictor, "a"))
    share = actions["c"] / (actions["b"] + actions["c"])
    assert odds_of(new_places["B"]) / odds_of(places["B"]) == pytest.approx(share + 0.01 * (1 - share))


def test_an_answer_about_an_app_holds_for_its_windows() -> None:
    predictor, after = titles("abacabacadabaca"), Action(Operation.WINDOW_FOCUS, "a", "A")
    (places, actions) = by_name(asked(predictor, "a"))
    [before] = [one.probability for one in asked(predictor, "a").upcoming if one.action.place == "B"]
    predictor.feedback.learn(after, Action(Operation.WINDOW_FOCUS, "", "B"), Answer.NO)
    ranking = asked(predictor, "a")
    new_places, new_actions = by_name(ranking)
    assert odds_of(new_places["B"]) == pytest.approx(0.5 * odds_of(places["B"]))
    assert new_actions["b"] / new_actions["c"] == pytest.approx(actions["b"] / actions["c"])
    [now] = [one.probability for one in ranking.upcoming if one.action.place == "B"]
    assert odds_of(now) == pytest.approx(0.5 * odds_of(before))


def test_the_reasons_name_it() -> None:
    predictor = taught("abacabacaba")
    predictor.feedback.learn(visit("a"), visit("b"), Answer.YES)
    asked(predictor, "a")
    assert predictor.reasons(visit("b"), visit("c"))["feedback"] == pytest.approx(0.693, abs=0.001)
