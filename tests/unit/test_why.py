import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from cli.predictions.why import _events, _times
from memo.core.events import Action, Event, Operation
from memo.display.text import reason
from worker.predictors.evidence import find_evidence
from worker.predictors.mixed import MixedPredictor
from worker.predictors.person.person_model import PersonModel
from worker.predictors.ranker import Ranker

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def starts(names: Sequence[str]) -> list[Event]:
    return [Event(START + timedelta(seconds=n), Operation.PROCESS_START, name) for n, name in enumerate(names)]


def started(name: str) -> Action:
    return Action(Operation.PROCESS_START, name)


def test_the_longest_context_that_it_followed_is_named() -> None:
    found = find_evidence([*map(started, "abcd-abcx-abc")], started("d"))
    assert (found.context, found.met, found.followed) == (tuple(map(started, "abc")), 2, (3,))
    found = find_evidence([*map(started, "bcd-xbc")], started("d"))
    assert (len(found.context), found.met) == (2, 1)


def test_what_never_followed_has_no_moments() -> None:
    assert find_evidence([], started("a")).context == ()
    found = find_evidence([*map(started, "aba")], started("z"))
    assert (found.context, found.met, found.followed) == ((started("a"),), 1, ())


def test_reasons_are_all_that_one_is_ahead_of_another_by() -> None:
    ranker = Ranker()
    for event in starts("ababcab" * 5):
        ranker.rank()
        ranker.learn(event)
    ranked = ranker.rank()
    assert ranked is not None
    scores = ranked.features @ ranker.mixer.weights(ranked.gate)
    first, second = (ranked.symbols.tolist().index(ranker.history.symbols.find(started(name))) for name in "ab")
    reasons = ranker.reasons(started("a"), started("b"))
    assert sum(reasons.values()) == pytest.approx(scores[first] - scores[second])
    assert ranker.reasons(started("a"), started("never")) == {}


def test_reasons_of_the_person_are_all_that_a_place_is_ahead_by() -> None:
    model = PersonModel()
    for n, app in enumerate("ABACABACABAC" * 3):
        model.learn(Event(START + timedelta(seconds=30 * n), Operation.WINDOW_FOCUS, f"title {n % 5}", app))
    places = dict(model.places())
    first, second = (("window_focus", name) for name in "AB")
    odds = {place.place: probability for place, probability in places.items()}
    assert sum(model.place_reasons(first, second).values()) == pytest.approx(math.log(odds["A"] / odds["B"]))
    (one, p), (other, q) = model.things()[:2]
    assert sum(model.thing_reasons(one, other).values()) == pytest.approx(math.log(p / q))
    assert model.place_reasons(first, ("window_focus", "never")) == {} == model.thing_reasons(one, started("never"))


def test_each_column_shown_has_words_in_both_languages() -> None:
    weights, person = MixedPredictor().weights(), PersonModel().state()
    columns: list[str] = weights["all"]["columns"]
    columns += [name for part in ("place", "switch", "thing") for name in person[part]["mixer"]["columns"]]
    for column in columns:
        if column not in ("new", "new_elsewhere", "new_in_place"):
            assert reason(column, "en").isascii()
            assert not reason(column, "zh").isascii()


def test_counts_are_worded_in_both_languages() -> None:
    assert [_events(n, "en") for n in (0, 1, 2)] == ["0 events", "1 event", "2 events"]
    assert [_times(n, "en") for n in (0, 1, 2)] == ["0 times", "once", "2 times"]
    assert (_events(1, "zh"), _times(1, "zh")) == ("1 个事件", "1 次")
