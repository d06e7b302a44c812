"""History, mixer, their mix and what is upcoming: well-formed from the first event on, and a function of the stream."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from random import Random

import numpy as np
import pytest
from rankings import check

from data.synthetic.people import SAMPLE_START, Person, stream
from memo.core.bounded import BoundedDict
from memo.core.events import Action, Event, Operation, make_action
from memo.core.predictions import HORIZON_S, QUIET_S, UPCOMING_OPERATIONS, Ranking
from worker.predictors.history import history_features
from worker.predictors.history.arrival_times import ArrivalTimes
from worker.predictors.history.candidate_ids import CandidateIds, Unseen
from worker.predictors.history.history_features import FEATURES, MAX_CANDIDATES, HistoryFeatures
from worker.predictors.history.tables import Array, Table
from worker.predictors.mixed import MixedPredictor
from worker.predictors.mixer import Mixer
from worker.predictors.ranker import LM_FEATURES, LM_FLOOR, Ranker
from worker.predictors.reader import Scores
from worker.predictors.upcoming.hazard import MAX_UPCOMING, MOST_SEEN, Hazard

COLUMNS = (*FEATURES, *LM_FEATURES)
START = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))
SAMPLE = stream(Person(3), 1, SAMPLE_START)[:150]


def starts(names: Sequence[str], apart_s: float = 5) -> list[Event]:
    """One start of an app for each name."""
    return [
        Event(START + timedelta(seconds=n * apart_s), Operation.PROCESS_START, name) for n, name in enumerate(names)
    ]


def live(predictor: MixedPredictor, events: Sequence[Event], top: int = 10) -> Iterator[Ranking]:
    """Ask after each event."""
    for n, event in enumerate(events, 1):
        predictor.learn(event)
        yield predictor.predict(events[max(0, n - 5) : n], top)


def taught(events: Sequence[Event], predictor: MixedPredictor | None = None) -> Ranking:
    """Learn all, ask once."""
    predictor = predictor or MixedPredictor()
    for event in events:
        predictor.learn(event)
    return predictor.predict(events[-5:], 10)


def test_before_the_first_event_something_new_is_certain() -> None:
    assert MixedPredictor().predict([], 10) == Ranking(new_probability=1.0)


def test_context_alone_names_nothing() -> None:
    assert taught([Event(START, Operation.SESSION_START)]) == Ranking(new_probability=1.0)


def test_one_event_is_the_one_candidate() -> None:
    ranking = taught(starts(["a"]))
    assert [candidate.action.target for candidate in ranking.candidates] == ["a"]
    assert ranking.candidates[0].probability + ranking.new_probability == pytest.approx(1)


def test_one_repeated_action_becomes_nearly_certain() -> None:
    events = starts(["a"] * 300)
    ranking = list(live(MixedPredictor(), events))[-1]
    check(ranking, events, 10)
    assert ranking.candidates[0].probability > 0.98


def test_all_candidates_and_something_new_sum_to_one() -> None:
    for ranking in live(MixedPredictor(), SAMPLE, top=MAX_CANDIDATES):
        total = sum(candidate.probability for candidate in ranking.candidates)
        assert total + ranking.new_probability == pytest.approx(1)


def test_many_actions_the_newest_and_most_frequent_are_ranked() -> None:
    history = HistoryFeatures()
    for event in starts(["often"] * 3 + [f"once {n}" for n in range(2 * MAX_CANDIDATES)]):
        history.learn(event)
    chosen = history.candidates()
    assert len(chosen) <= MAX_CANDIDATES < len(history.symbols)
    assert len(set(chosen.tolist())) == len(chosen)
    names = [history.symbols.names[symbol] for symbol in chosen]
    targets = {name.target for name in names if isinstance(name, Action)}
    assert {"often", *(f"once {n}" for n in range(2 * MAX_CANDIDATES - 200, 2 * MAX_CANDIDATES))} <= targets


def test_features_are_finite_and_named() -> None:
    history = HistoryFeatures()
    for event in SAMPLE:
        history.learn(event)
        if history.steps:
            features = history.features(history.candidates())
            assert features.shape == (len(history.symbols), len(FEATURES))
            assert np.isfinite(features).all()


def test_each_level_is_a_distribution() -> None:
    history = HistoryFeatures()
    for event in SAMPLE:
        history.learn(event)
    columns = dict(zip(FEATURES, np.exp(history.features(history.candidates())).T, strict=True))
    for name in ("frequency", "after_actions"):
        assert columns[name].sum() == pytest.approx(1), name
    for name in ("coarse_frequency", "after_coarse_lately", "after_coarse_and_gap", "after_coarse_and_age"):
        kinds = dict(zip(history.symbols.coarse.tolist(), columns[name], strict=True))
        assert sum(kinds.values()) == pytest.approx(1), name
    for name in ("after_operations", "after_operations_and_gap"):
        kinds = dict(zip(history.symbols.operation.tolist(), columns[name], strict=True))
        assert sum(kinds.values()) == pytest.approx(1), name
    for name, groups in (("within_coarse", "coarse"), ("after_human_within_operation", "operation")):
        sums = np.bincount(getattr(history.symbols, groups), weights=columns[name])
        assert sums == pytest.approx(np.ones_like(sums)), name


def test_context_events_change_no_table() -> None:
    plain, marked = HistoryFeatures(), HistoryFeatures()
    for event in starts("abcab"):
        plain.learn(event)
        marked.learn(Event(event.at, Operation.TIME_CONTEXT, "1", detail="9"))
        marked.learn(event)
    assert (plain.features(plain.candidates()) == marked.features(marked.candidates())).all()
    assert plain.gate == marked.gate == "process_start:1"


def test_an_end_is_likelier_while_its_app_is_open() -> None:
    history = HistoryFeatures()
    firefox = Action(Operation.PROCESS_END, "firefox")
    for n, operation in enumerate([Operation.PROCESS_START, Operation.PROCESS_END, Operation.PROCESS_START]):
        history.learn(Event(START + timedelta(seconds=n), operation, "firefox"))
        symbol = history.symbols.find(firefox)
        if symbol is not None:
            row = history.features(history.candidates())[symbol]
            assert row[FEATURES.index("open")] == (math.log1p(1) if operation is Operation.PROCESS_START else 0)


def test_an_alternating_stream_is_soon_predicted_right() -> None:
    events = starts("ab" * 20)
    answers = list(live(MixedPredictor(), events))
    for answer, truth in islice(zip(answers, events[1:], strict=False), 8, None):
        assert answer.candidates[0].action == truth.action
    assert answers[-1].candidates[0].probability > 0.7


def test_two_languages_are_two_targets_of_one_stream() -> None:
    ranking = list(live(MixedPredictor(), starts(["终端", "Terminal"] * 15)))[-1]
    assert [candidate.action.target for candidate in ranking.candidates] == ["终端", "Terminal"]


def test_expected_time_is_the_usual_gap_if_the_clock_goes_back() -> None:
    events = starts("ab" * 5, apart_s=7)
    backwards = Event(START - timedelta(days=1), Operation.PROCESS_START, "a")
    ranking = taught([*events, backwards])
    assert ranking.candidates[0].action.target == "b"
    assert ranking.candidates[0].expected_at == backwards.at + timedelta(seconds=7)


def test_one_wrong_clock_does_not_move_what_comes_after() -> None:
    events = starts("ab" * 5, apart_s=7)
    tomorrow = Event(START + timedelta(days=1), Operation.PROCESS_START, "c")
    later = [Event(events[-1].at + timedelta(seconds=7 * n), Operation.PROCESS_START, "ab"[n % 2]) for n in (1, 2)]
    predictor = MixedPredictor()
    for event in [*events, tomorrow, *later]:
        predictor.learn(event)
    window = [*events[-2:], *later, tomorrow]
    first = predictor.predict(window, 5).candidates[0]
    assert (first.action.target, first.expected_at) == ("b", later[-1].at + timedelta(seconds=7))


def test_a_gap_of_a_pair_never_seen_is_that_of_its_operations() -> None:
    gaps = ArrivalTimes()
    assert gaps.expected(Action(Operation.PROCESS_START, "a")) == (0, 0)
    for event in starts("abcabc", apart_s=11):
        gaps.learn(event)
    assert gaps.expected(Action(Operation.PROCESS_START, "never")) == (11, 0)
    assert gaps.expected(Action(Operation.WEB_VISIT, "a.example")) == (0, 0)


def test_expected_time_is_the_most_frequent_gap_with_its_range() -> None:
    gaps, at = ArrivalTimes(), START
    for wait in (2, 2, 2, 5, 6, 7, 60, 61):
        gaps.learn(Event(at, Operation.PROCESS_START, "a"))
        gaps.learn(Event(at + timedelta(seconds=wait), Operation.PROCESS_END, "a"))
        at += timedelta(hours=2)
    gaps.learn(Event(at, Operation.PROCESS_START, "a"))
    assert gaps.expected(Action(Operation.PROCESS_END, "a")) == (2, 60 - 2)


def test_the_detail_is_the_latest_seen_with_the_action() -> None:
    visits = [
        Event(START + timedelta(seconds=n), Operation.WEB_VISIT, "a.example", detail=f"page {n}") for n in range(3)
    ]
    assert taught(visits).candidates[0].detail == "page 2"
    opened = Event(START, Operation.FILE_ACCESS, "a.txt", detail="/home/ada", executable="/usr/bin/code")
    [candidate] = taught([opened]).candidates
    assert (candidate.action.place, candidate.detail, candidate.executable) == ("/home/ada", "", "/usr/bin/code")


def test_saves_and_openings_are_learned_alike() -> None:
    opened = [
        replace(event, operation=Operation.FILE_ACCESS, target=f"{n % 3}.txt", detail="/home/ada") if n % 2 else event
        for n, event in enumerate(titles(["one", "two", "three", "two"] * 5))
    ]
    saved = [
        replace(event, operation=Operation.FILE_SAVE) if event.operation is Operation.FILE_ACCESS else event
        for event in opened
    ]
    assert taught(saved) == taught(opened)


def titles(names: Sequence[str], app: str = "a.exe") -> list[Event]:
    """One focus for each title."""
    return [Event(START + timedelta(seconds=n), Operation.WINDOW_FOCUS, name, app=app) for n, name in enumerate(names)]


def test_something_new_is_as_likely_as_it_was() -> None:
    fresh = list(live(MixedPredictor(), titles([f"title {n}" for n in range(100)])))[-1]
    stale = list(live(MixedPredictor(), titles(["one", "other"] * 50)))[-1]
    assert stale.new_probability < 0.1 < 0.9 < fresh.new_probability


def test_something_new_of_a_known_app_differs_from_elsewhere() -> None:
    symbols = CandidateIds()
    first, second = (Action(Operation.WINDOW_FOCUS, title, "a.exe") for title in ("one", "other"))
    elsewhere = Action(Operation.WINDOW_FOCUS, "one", "b.exe")
    visit = Action(Operation.WEB_VISIT, "a.example")
    assert symbols.outcome(first) is None, "nothing is known"
    added = [symbols.add(action)[1] for action in (first, second, first, elsewhere, visit)]
    assert [symbol if symbol is None else symbols.names[symbol] for symbol in added] == [
        Unseen(Operation.WINDOW_FOCUS),
        Unseen(Operation.WINDOW_FOCUS, "a.exe"),
        None,
        Unseen(Operation.WINDOW_FOCUS),
        Unseen(Operation.WEB_VISIT),
    ]
    third = Action(Operation.WINDOW_FOCUS, "third", "b.exe")
    outcomes = [symbols.outcome(action) for action in (first, third, Action(Operation.WEB_VISIT, "b.example"))]
    assert [symbols.names[symbol] for symbol in outcomes if symbol is not None] == [
        first,
        Unseen(Operation.WINDOW_FOCUS, "b.exe"),
        Unseen(Operation.WEB_VISIT),
    ]
    one, other = symbols.add(third)[0], symbols.add(elsewhere)[0]
    assert symbols.coarse[one] == symbols.coarse[other]


def test_a_page_is_one_candidate_whatever_its_counts() -> None:
    names = ["News and 3 more pages - Edge", "(2) Mail and 3 more pages - Edge", "(3) Mail and 4 more pages - Edge"]
    ranking = taught(titles(names, "msedge.exe"))
    assert {candidate.action.target for candidate in ranking.candidates} == {
        "News and 4 more pages - Edge",
        "(3) Mail and 4 more pages - Edge",
    }, "as seen last, the tabs as they are now"


def test_a_table_forgets_what_was_not_met_for_longest() -> None:
    store: BoundedDict[str, int] = BoundedDict(2)
    for key in "abac":
        store[key] = 1
    assert list(store) == ["a", "c"]


def test_a_table_backs_off_by_what_it_has_seen() -> None:
    table, lower = Table(), np.array([0.5, 0.25, 0.25])
    assert table.interpolate(7, lower).tolist() == lower.tolist()
    for symbol in (0, 0, 1):
        table.add(7, symbol)
    assert table.interpolate(7, lower).tolist() == pytest.approx([(2 + 1) / 5, (1 + 0.5) / 5, 0.5 / 5])
    late = Table(decay=0.5)
    for symbol in (0, 0, 1):
        late.add(7, symbol)
    assert late.interpolate(7, lower).tolist() == pytest.approx([1.25 / 2.75, 1.25 / 2.75, 0.25 / 2.75])


@pytest.mark.parametrize(("bound", "value"), [("MOST_SYMBOLS", 20), ("MOST_CHARACTERS", 250)])
def test_what_came_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch, bound: str, value: int) -> None:
    monkeypatch.setattr(history_features, bound, value)
    predictor = MixedPredictor()
    names = [name for n in range(60) for name in (f"title {n:04}", "mail", "news")]
    events = titles(names)
    for n, ranking in enumerate(live(predictor, events), 1):
        check(ranking, events[:n], 10)
    known = [fields[1] for fields in predictor.state()["all"]["history"]["names"] if len(fields) == 3]
    assert len(known) <= 20
    assert {"title 0059", "mail", "news"} <= set(known)
    assert "title 0000" not in known
    restored = MixedPredictor()
    restored.restore(predictor.state())
    assert restored.predict(events[-5:], 10) == ranking


def test_human_actions_are_foreseen_through_process_noise() -> None:
    noise = [Operation.PROCESS_START, Operation.PROCESS_END]
    events, at = [], START
    for n in range(60):
        for one in [*noise * (n % 3), Operation.WINDOW_FOCUS]:
            at += timedelta(seconds=5)
            target = "ab"[n % 2] if one is Operation.WINDOW_FOCUS else "updater"
            events.append(Event(at, one, target, app="x" if one is Operation.WINDOW_FOCUS else ""))
    answers = list(live(MixedPredictor(), events))
    focus = [candidate for candidate in answers[-1].candidates if candidate.action.place]
    assert focus[0].action.target == "a", "b came last, with noise before it"


def test_predictor_rebuilt_from_log_gives_the_same_numbers() -> None:
    online = MixedPredictor()
    answers = list(live(online, SAMPLE))
    weights = json.loads(json.dumps(online.weights()))
    assert taught(SAMPLE, MixedPredictor(weights=weights)) == answers[-1]


def test_asking_twice_changes_nothing() -> None:
    once, twice = MixedPredictor(), MixedPredictor()
    for n, event in enumerate(SAMPLE[:60]):
        for predictor, asks in ((once, 1), (twice, 2)):
            predictor.learn(event)
            for _ in range(asks):
                predictor.predict(SAMPLE[: n + 1], 5)
    assert once.weights() == twice.weights()


def test_only_asked_for_outcomes_teach_the_weights() -> None:
    predictor = MixedPredictor()
    taught(SAMPLE, predictor)
    assert predictor.weights() == MixedPredictor().weights()


def test_the_better_ranker_of_human_actions_is_trusted_more() -> None:
    noise = Random(1)
    events, at = [], START
    for n in range(120):
        for target in [*noise.choices("uvwxyz", k=noise.randrange(4)), "human"]:
            at += timedelta(seconds=5)
            human = target == "human"
            operation = Operation.WINDOW_FOCUS if human else Operation.PROCESS_START
            events.append(Event(at, operation, "abcdefgh"[n % 8] if human else target, app="x" if human else ""))
    predictor = MixedPredictor()
    list(live(predictor, events))
    assert predictor.weights()["trust"] > 1, "noise hides the order of human actions from the other one"
    assert MixedPredictor(weights=predictor.weights()).weights()["trust"] == predictor.weights()["trust"]
    assert MixedPredictor(weights={}).weights()["trust"] == 0


def test_only_the_next_action_is_the_outcome_and_context_is_none() -> None:
    a, b, more = starts("aba")
    predictor, other = MixedPredictor(), MixedPredictor()
    for event in (a, b):
        predictor.learn(event)
        other.learn(event)
    predictor.predict([a, b], 5)
    predictor.learn(Event(b.at, Operation.SESSION_START))
    assert predictor.weights() == other.weights(), "context settles nothing"
    predictor.learn(more)
    learned = predictor.weights()
    assert learned != other.weights()
    predictor.learn(b)
    assert predictor.weights() == learned, "the second event after an ask teaches nothing"


def test_what_always_comes_true_wins_in_the_end() -> None:
    matrix, mixer = np.zeros((3, len(COLUMNS))), new_mixer()
    matrix[2, COLUMNS.index("not_in_language_model")] = 1
    for _ in range(300):
        teach(mixer, matrix, "g", 2)
    assert mixer.probabilities(matrix, "g")[2] > 2 / 3
    assert mixer.probabilities(matrix, "another gate")[2] > 1 / 3, "the shared weights carry over"


def test_a_restored_mixer_goes_on_as_the_one_before() -> None:
    rng = np.random.default_rng(1)
    mixer = new_mixer()
    steps = [(rng.normal(size=(4, len(COLUMNS))), gate) for gate in ("a", "b", "") * 5]
    for matrix, gate in steps:
        teach(mixer, matrix, gate, 1)
    restored = new_mixer().restore(json.loads(json.dumps(mixer.state())))
    assert restored.state() == mixer.state()
    for matrix, gate in steps:
        assert (restored.probabilities(matrix, gate) == mixer.probabilities(matrix, gate)).all()
        teach(restored, matrix, gate, 2)
        teach(mixer, matrix, gate, 2)
    assert restored.state() == mixer.state()


def new_mixer() -> Mixer:
    return Mixer(COLUMNS, {"after_actions": 0.5}, rate=0.04, gate_rate=0.012)


def teach(mixer: Mixer, features: Array, gate: str, truth: int) -> None:
    mixer.learn(features, mixer.probabilities(features, gate), gate, truth)


def test_a_state_is_a_copy() -> None:
    mixer = new_mixer()
    teach(mixer, np.eye(2, len(COLUMNS)), "g", 0)
    state = mixer.state()
    kept = json.dumps(state)
    teach(new_mixer().restore(state), np.eye(2, len(COLUMNS)), "g", 1)
    teach(mixer, np.eye(2, len(COLUMNS)), "g", 1)
    assert json.dumps(state) == kept


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        {"columns": ["order0"], "row": [[1.0], [1.0]]},
        {"columns": list(COLUMNS), "shared": [1.0], "gates": {}},
    ],
)
def test_weights_of_another_form_begin_by_hand(state: dict[str, object] | None) -> None:
    assert new_mixer().restore(state).state() == new_mixer().state()


@dataclass
class Constant:
    """A language model whose scores never change."""

    given: Scores

    def read(self, event: Event) -> None:
        pass

    def scores(self) -> Scores:
        return self.given


A, B = Action(Operation.PROCESS_START, "a"), Action(Operation.PROCESS_START, "b")
USELESS = [
    Scores(),
    Scores(new=-math.inf),
    Scores(new=math.nan),
    Scores({A: math.nan, B: -math.inf}, -0.5),
    Scores({Action(Operation.WEB_VISIT, "unheard.example"): 0.0}, -1e9),
]


@pytest.mark.parametrize("useless", USELESS, ids=str)
def test_a_language_model_that_says_nothing_useful_does_no_harm(useless: Scores) -> None:
    events = starts("ab" * 20)
    predictor = MixedPredictor(Constant(useless))
    for n, ranking in enumerate(live(predictor, events), 1):
        check(ranking, events[:n], 10)
    assert ranking.candidates[0].action == A
    assert np.isfinite(predictor.weights()["all"]["row"]).all()


@dataclass
class Oracle:
    """A language model that knows what a random stream brings."""

    coming: list[Event]

    def read(self, event: Event) -> None:
        self.coming = self.coming[1:]

    def scores(self) -> Scores:
        return Scores({event.action: -0.01 for event in self.coming[:1]}, -4.6)


def hits(predictor: MixedPredictor, events: Sequence[Event]) -> int:
    answers = list(live(predictor, events))[100:-1]
    return sum(answer.candidates[0].action == truth.action for answer, truth in zip(answers, events[101:], strict=True))


def test_a_language_model_that_knows_is_listened_to() -> None:
    events = starts(Random(1).choices("abcdef", k=201))
    assert hits(MixedPredictor(), events) < 40 < 95 < hits(MixedPredictor(Oracle(events)), events) <= 100


def test_a_language_model_reads_only_what_it_is_asked_about() -> None:
    events = starts("abcdef")
    oracle = Oracle(events[3:])
    predictor = MixedPredictor(oracle)
    for event in events[:3]:
        predictor.learn(event, ranks=False)
    assert oracle.coming == events[3:], "the events of a long log before its newest are counted alone"
    predictor.learn(events[3])
    assert oracle.coming == events[4:]


def test_the_language_model_has_its_own_columns_with_a_floor() -> None:
    ranker = Ranker(Constant(Scores({A: -50.0}, -1.0)))
    for event in starts("abc"):
        ranker.learn(event)
    ranked = ranker.rank()
    assert ranked is not None
    said = {
        ranker.history.symbols.names[symbol]: row
        for symbol, row in zip(ranked.symbols, ranked.features[:, -2:], strict=True)
    }
    share = -1.0 - math.log(3)
    assert said[A].tolist() == [LM_FLOOR, 0]
    absent = [row.tolist() for name, row in said.items() if name != A]
    assert absent == [[share, 1]] * 3, "b, c and something new share alike"


def quiet(hazard: Hazard, seconds: float) -> dict[str, float]:
    return {entry.action.target: entry.probability for entry in hazard.upcoming(START + timedelta(seconds=seconds))}


def test_upcoming_names_what_is_quiet_and_was_seen_before() -> None:
    hazard = Hazard()
    assert hazard.upcoming(START) == []
    for event in starts(["old", "new"], apart_s=QUIET_S):
        hazard.learn(event)
    assert quiet(hazard, QUIET_S) == {}, "old came just a minute ago"
    assert set(quiet(hazard, QUIET_S + 1)) == {"old"}
    assert set(quiet(hazard, 3 * QUIET_S)) == {"old", "new"}


@pytest.mark.parametrize("operation", Operation)
def test_upcoming_starts_comes_to_the_front_or_is_opened(operation: Operation) -> None:
    hazard = Hazard()
    hazard.learn(Event(START, operation, "x"))
    hazard.learn(Event(START, Operation.WINDOW_FOCUS, "main.py", "in front"))
    assert bool(quiet(hazard, 100)) == (make_action(operation, "x", "", "").operation in UPCOMING_OPERATIONS)


def test_upcoming_probabilities_are_independent_of_one_another() -> None:
    alone, among = Hazard(), Hazard()
    for n in range(40):
        at = START + timedelta(seconds=n * 120)
        for name in ("a", "b", "c"):
            among.learn(Event(at, Operation.PROCESS_START, name))
        alone.learn(Event(at, Operation.PROCESS_START, "a"))
    later = 40 * 120
    assert quiet(alone, later)["a"] == pytest.approx(quiet(among, later)["a"], abs=0.1)
    assert sum(quiet(among, later).values()) > 1


def test_what_many_events_have_passed_by_is_less_likely() -> None:
    calm, busy = Hazard(), Hazard()
    for hazard in (calm, busy):
        hazard.learn(Event(START, Operation.WEB_VISIT, "a"))
    for n in range(200):
        busy.learn(Event(START + timedelta(seconds=n / 10), Operation.PROCESS_START, "noise"))
    assert quiet(busy, 100)["a"] < 0.8 * quiet(calm, 100)["a"]


def test_upcoming_ranks_what_comes_often_and_late() -> None:
    hazard = Hazard()
    for event in starts(["rare", *["often"] * 9], apart_s=30):
        hazard.learn(event)
    soon = hazard.upcoming(START + timedelta(seconds=400))
    assert [entry.action.target for entry in soon] == ["often", "rare"]


def focus(seconds: float, app: str, title: str = "title") -> Event:
    return Event(START + timedelta(seconds=seconds), Operation.WINDOW_FOCUS, title, app)


def test_an_app_is_upcoming_as_a_whole_unless_it_is_in_front() -> None:
    hazard = Hazard()
    for second, app in enumerate(("Code", "Mail", "Code")):
        hazard.learn(focus(second, app, f"title {second}"))
    [entry] = hazard.upcoming(START + timedelta(seconds=2))
    assert entry.action == Action(Operation.WINDOW_FOCUS, "", "Mail"), "the moment it is left, it may come back"
    assert entry.as_dict("en", START)["text"].endswith("Switched to window: Mail (app: Mail)")


def test_what_follows_an_app_soon_is_likelier_after_it() -> None:
    hazard, second = Hazard(), 0.0
    for _ in range(40):
        for pause_s, app in ((3_000, "Terminal"), (30, "Browser"), (3_000, "Mail"), (30, "Notes")):
            second += pause_s
            hazard.learn(focus(second, app))
    hazard.learn(focus(second + 3_000, "Terminal"))
    found = {
        entry.action.place: entry.probability for entry in hazard.upcoming(START + timedelta(seconds=second + 3_000))
    }
    assert found["Browser"] > 0.8 > 0.2 > max(found["Mail"], found["Notes"])


def test_upcoming_goes_on_as_before_once_restored() -> None:
    hazard, restored = Hazard(), Hazard()
    events = [focus(n * 50, f"app {n * n % 11}") for n in range(300)]
    for event in events[:250]:
        hazard.learn(event)
    restored.restore(hazard.state())
    for event in events[250:]:
        hazard.learn(event)
        restored.learn(event)
    assert restored.upcoming(events[-1].at) == hazard.upcoming(events[-1].at) != []


def test_of_more_things_than_fit_the_latest_are_upcoming() -> None:
    hazard = Hazard()
    for number in range(MOST_SEEN + 10):
        hazard.learn(focus(number, f"app {number}"))
    found = {entry.action.place for entry in hazard.upcoming(START + timedelta(seconds=MOST_SEEN + 9))}
    assert len(found) == MAX_UPCOMING
    assert hazard.state()["names"][0][2] == f"app {MOST_SEEN // 2}", "the older half is forgotten"


def test_upcoming_of_a_steady_habit_is_about_its_rate() -> None:
    hazard = Hazard()
    for n in range(2000):
        hazard.learn(Event(START + timedelta(seconds=n * 300), Operation.WEB_VISIT, "a.example"))
    expected = 1 - math.exp(-HORIZON_S / 300)
    assert quiet(hazard, 1999 * 300 + 150)["a.example"] == pytest.approx(expected, abs=0.2)


def test_upcoming_is_bounded_and_sorted() -> None:
    hazard = Hazard()
    for event in starts([f"app {n}" for n in range(2 * MAX_UPCOMING)]):
        hazard.learn(event)
    entries = hazard.upcoming(START + timedelta(days=1))
    assert len(entries) == MAX_UPCOMING
    probabilities = [entry.probability for entry in entries]
    assert probabilities == sorted(probabilities, reverse=True)


def test_upcoming_keeps_a_visits_title_and_no_files_folder_twice() -> None:
    hazard = Hazard()
    hazard.learn(Event(START, Operation.WEB_VISIT, "a.example", detail="title"))
    hazard.learn(Event(START, Operation.FILE_ACCESS, "a.txt", detail="/home"))
    entries = hazard.upcoming(START.astimezone(UTC) + timedelta(hours=1))
    assert {(entry.action.target, entry.action.place, entry.detail) for entry in entries} == {
        ("a.example", "", "title"),
        ("a.txt", "/home", ""),
    }
