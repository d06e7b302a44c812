"""Any stream of events gets well-formed rankings."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rankings import check

from memo.core.events import Event, Operation
from worker.predictors.history.history_features import FEATURES, MAX_CANDIDATES
from worker.predictors.mixed import MixedPredictor
from worker.predictors.mixer import Mixer
from worker.predictors.ranker import LM_FEATURES

COLUMNS = (*FEATURES, *LM_FEATURES)
START = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))
texts = st.sampled_from(["", "a", "编辑器", "Firefox — 搜索", "x" * 4096, "标" * 4096, "a\nb\x1b[31m", "\ud800", "🚀"])
moments = st.integers(-100_000, 100_000).map(lambda s: START + timedelta(seconds=s))
odd_events = st.builds(
    Event,
    at=moments,
    operation=st.sampled_from(Operation),
    target=texts,
    app=texts,
    detail=texts,
    executable=st.sampled_from(["", "/usr/bin/a"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(odd_events, min_size=1, max_size=25), st.integers(1, 12))
def test_predict_any_stream_gives_well_formed_answers(events: list[Event], top: int) -> None:
    predictor, window = MixedPredictor(), list[Event]()
    for n, event in enumerate(events, 1):
        predictor.learn(event)
        window = sorted([*window, event], key=lambda one: one.at)[-5:]
        check(predictor.predict(window, top), events[:n], top)


@settings(max_examples=25, deadline=None)
@given(st.lists(odd_events, min_size=1, max_size=20), st.data())
def test_predict_is_a_function_of_events_and_questions(events: list[Event], data: st.DataObject) -> None:
    asked = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    one, other = MixedPredictor(), MixedPredictor()
    for predictor in (one, other):
        for event, ask in zip(events, asked, strict=True):
            predictor.learn(event)
            if ask:
                predictor.predict([event], 5)
    assert one.predict(events[-1:], 10) == other.predict(events[-1:], 10)
    assert one.weights() == other.weights()


def test_a_very_long_title_is_one_candidate() -> None:
    titles = ["x" * 100_000, "标" * 100_000, "short"] * 2
    predictor, events = MixedPredictor(), list[Event]()
    for n, title in enumerate(titles):
        events.append(Event(START + timedelta(seconds=n), Operation.WINDOW_FOCUS, title, app="a.exe"))
        predictor.learn(events[-1])
        ranking = predictor.predict(events[-5:], 10)
        check(ranking, events, 10)
    assert len(ranking.candidates) == 3


def test_more_titles_than_fit_leave_the_answer_bounded() -> None:
    events = [
        Event(START + timedelta(seconds=n), Operation.WINDOW_FOCUS, f"title {n}", app=f"app {n % 7}")
        for n in range(MAX_CANDIDATES + 100)
    ]
    predictor = MixedPredictor()
    for event in events:
        predictor.learn(event)
    assert len(predictor.predict(events[-5:], 10).candidates) == 10
    everything = predictor.predict(events[-5:], 10_000)
    check(everything, events, 10_000)
    assert len(everything.candidates) <= MAX_CANDIDATES
    assert everything.new_probability > 0.5, "nothing ever came twice"


def test_process_noise_that_displaces_all_else_is_answered() -> None:
    names = ["main.py"] * 200 + [f"other {n}" for _ in range(20) for n in range(100)]
    acts = [Event(START, Operation.WINDOW_FOCUS, name, app="editor") for name in names]
    rare, noise = [
        [Event(START + timedelta(seconds=5 * n), Operation.PROCESS_START, f"{name} {n % most}") for n in range(number)]
        for name, most, number in (("rare", 400, 400), ("process", 300, 33_000))
    ]
    predictor = MixedPredictor()
    for event in [*acts[:-1], *rare]:
        predictor.learn(event, ranks=False)
    predictor.learn(acts[-1])
    for event in noise:
        predictor.learn(event)
    check(predictor.predict(noise[-5:], 10), [*acts, *rare, *noise], 10)


matrices = st.integers(2, 6).flatmap(
    lambda rows: st.lists(
        st.lists(st.floats(-30, 5), min_size=len(COLUMNS), max_size=len(COLUMNS)), min_size=rows, max_size=rows
    )
)


@given(matrices, st.data())
def test_an_outcome_moves_weight_to_the_right_candidate(rows: list[list[float]], data: st.DataObject) -> None:
    matrix, mixer = np.array(rows), Mixer(COLUMNS, {}, rate=0.04, gate_rate=0.012)
    truth = data.draw(st.integers(0, len(rows) - 1))
    before = mixer.probabilities(matrix, "g")
    initial = mixer.weights("").copy()
    gradient = matrix[truth] - before @ matrix
    mixer.learn(matrix, before, "g", truth)
    after = mixer.probabilities(matrix, "g")
    assert before.sum() == pytest.approx(1) == after.sum()
    if np.abs(gradient).max() > 1e-3:
        assert gradient @ (mixer.weights("") - initial) > 0
        assert gradient @ (mixer.weights("g") - mixer.weights("")) > 0
