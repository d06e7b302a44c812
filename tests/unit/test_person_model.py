import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from memo.core.events import Action, Event, Operation
from memo.core.predictions import Ranking
from worker.predictors.mixed import MixedPredictor
from worker.predictors.person import person_model
from worker.predictors.person.person_model import PersonModel

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
MAIL, CODE, WEB = "Mail", "Code", "Firefox"


def focus(app: str, title: str, n: int) -> Event:
    return Event(START + timedelta(minutes=n), Operation.WINDOW_FOCUS, title, app=app)


def focuses(apps: Sequence[str]) -> list[Event]:
    return [focus(app, f"{app} window", n) for n, app in enumerate(apps)]


def taught(events: Sequence[Event]) -> PersonModel:
    model = PersonModel()
    for event in events:
        model.learn(event)
    return model


def place_names(model: PersonModel) -> list[str]:
    return [place.place or place.target for place, _ in model.places()]


def test_nothing_is_known_before_the_first_action() -> None:
    model = taught([Event(START, Operation.PROCESS_START, "sshd")])
    assert (model.places(), model.things(), model.last) == ([], [], None)


def test_a_regular_alternation_is_foretold() -> None:
    model = taught(focuses([MAIL, CODE] * 20 + [MAIL]))
    assert place_names(model)[0] == CODE
    assert model.things()[0][0] == Action(Operation.WINDOW_FOCUS, "Code window", CODE)


def test_what_a_title_leads_to_is_foretold() -> None:
    events = []
    choose = Random(1).choice
    for n in range(60):
        title, following = choose([("tests", CODE), ("news", WEB)])
        events += [focus(MAIL, title, 2 * n), focus(following, "x", 2 * n + 1)]
    assert place_names(taught([*events, focus(MAIL, "tests", 120)]))[0] == CODE
    assert place_names(taught([*events, focus(MAIL, "news", 120)]))[0] == WEB


def test_process_noise_changes_no_answer() -> None:
    events = focuses([MAIL, CODE, WEB, MAIL, CODE])
    noise = [Event(START, Operation.PROCESS_START, "git"), Event(START, Operation.APP_USAGE, "git", detail="1")]
    noisy = [one for event in events for one in (event, *noise)]
    assert taught(noisy).places() == taught(events).places()
    assert taught(noisy).things() == taught(events).things()


def test_an_app_that_ended_loses_probability() -> None:
    events = [*focuses([MAIL, CODE, WEB] * 10), focus(MAIL, "Mail window", 40)]
    ended = Event(START + timedelta(minutes=39), Operation.PROCESS_END, f"{CODE}.exe")

    def probability(events: Sequence[Event]) -> float:
        return dict(taught(events).places())[Action(Operation.WINDOW_FOCUS, "", CODE)]

    assert probability([*events[:-1], ended, events[-1]]) < probability(events)


def test_counting_alone_ranks_what_comes_after_it() -> None:
    events = focuses([MAIL, CODE] * 20)
    model = PersonModel()
    for event in events[:-1]:
        model.learn(event, ranks=False)
    assert model.places() == []
    model.learn(events[-1])
    assert place_names(model)[0] == MAIL


def check(ranking: Ranking) -> None:
    assert sum(place.probability for place in ranking.places) + ranking.new_place == pytest.approx(1)
    assert sum(action.probability for action in ranking.person) <= 1 + 1e-9
    for entries in (ranking.places, ranking.person):
        probabilities = [entry.probability for entry in entries]
        assert probabilities == sorted(probabilities, reverse=True)
        assert all(0 <= probability <= 1 for probability in probabilities)


@pytest.mark.parametrize("seed", range(3))
def test_answers_are_coherent_while_clocks_jump(seed: int) -> None:
    predictor = MixedPredictor()
    for n in range(60):
        at = START + timedelta(seconds=(n * n * 7919 * (seed + 1)) % 90_000 - 45_000)
        event = Event(at, Operation.WEB_VISIT, f"{n * (seed + 3) % 11}.example")
        predictor.learn(event)
        check(predictor.predict([event], 5))


def test_one_place_only_is_answered() -> None:
    predictor = MixedPredictor()
    for event in focuses([MAIL] * 10):
        predictor.learn(event)
        check(predictor.predict([event], 5))


def test_things_and_places_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_model, "MOST_THINGS", 40)
    model = PersonModel()
    for n in range(500):
        model.learn(Event(START + timedelta(minutes=n), Operation.WEB_VISIT, f"{n}.example"), ranks=n > 450)
    state = model.state()
    assert 20 <= len(state["thing_names"]) <= 40
    assert len(state["place_names"]) <= 40
    assert state["thing_names"][-1] == ["web_visit", "499.example", ""]
    restored = PersonModel()
    restored.restore(state)
    assert restored.places() == model.places()


def test_long_titles_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_model, "MOST_CHARACTERS", 100_000)
    model = PersonModel()
    for n in range(100):
        model.learn(focus(MAIL, f"{n:04}" + "x" * 4092, n), ranks=False)
    assert sum(len(target) for _, target, _ in model.state()["thing_names"]) <= 100_000
    assert place_names(taught([focus(MAIL, "x", 1)])) == [MAIL]


def test_long_folders_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_model, "MOST_CHARACTERS", 100_000)
    model = PersonModel()
    for n in range(100):
        opened = Event(START + timedelta(minutes=n), Operation.FILE_ACCESS, f"{n}.txt", detail=f"/{n:04}" + "x" * 4091)
        model.learn(opened, ranks=False)
    state = model.state()
    assert sum(len(folder) for _, _, folder in state["thing_names"]) <= 100_000
    assert sum(len(folder) for _, _, folder in state["place_names"]) <= 100_000
    assert state["thing_names"][-1][1] == "99.txt"


def test_long_names_of_processes_stay_bounded() -> None:
    model = PersonModel()
    for n in range(600):
        operation = Operation.PROCESS_END if n % 2 else Operation.PROCESS_START
        model.learn(Event(START + timedelta(seconds=n), operation, f"{n}" + "x" * 4_000))
    assert len(json.dumps(model.state()["running"])) < 200_000
