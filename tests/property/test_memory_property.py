"""What a scope's learned state takes stays bounded, whatever the stream."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memo.core.events import HUMAN, Action, Event, Operation
from worker.prediction.scope_model import ScopeModel
from worker.prediction.snapshots import encode
from worker.predictors.history.arrival_times import MOST_GAPS, ArrivalTimes
from worker.predictors.history.tables import Table
from worker.predictors.mixed import MixedPredictor
from worker.predictors.upcoming.hazard import MOST_CHARACTERS, MOST_ROWS, MOST_SEEN, Hazard

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LARGEST = 13_000_000  # bytes of a state after streams that reach its limits; 20 MB are promised
RANKED = 300  # events at the end of a stream that are ranked, too
KINDS = sorted(HUMAN | {Operation.PROCESS_START})
LONG = 4_096  # characters of a title
FACE = "\N{GRINNING FACE}"  # four bytes


def each_site_once() -> Iterator[Event]:
    for n in range(10_000):
        yield Event(START + timedelta(seconds=3 * n), Operation.WEB_VISIT, f"site{n}.example", detail=f"title {n}")


def sites_at_one_time() -> Iterator[Event]:
    random = Random(0)
    for _ in range(10_000):
        yield Event(START, Operation.WEB_VISIT, f"site{random.randrange(900)}.example")


def long_titles_after_many_sites() -> Iterator[Event]:
    yield from each_site_once()
    for n in range(600):
        yield Event(START, Operation.WINDOW_FOCUS, f"{n:04}".ljust(LONG, FACE), app=f"app {n % 3}")


def clocks_that_jump() -> Iterator[Event]:
    random = Random(0)
    for _ in range(10_000):
        at = START + timedelta(seconds=random.randrange(-(10**8), 10**8))
        target, place = (f"{random.randrange(most)}{FACE * 40}" for most in (4_000, 3_000))
        yield Event(at, random.choice(KINDS), target, app=place, detail=place)


@pytest.mark.parametrize("stream", [sites_at_one_time, long_titles_after_many_sites, clocks_that_jump])
def test_the_state_of_a_hostile_stream_is_bounded(stream: object) -> None:
    events = list(stream())  # type: ignore[operator]
    model = ScopeModel("ada@host", "v1", 0, MixedPredictor(), 5)
    for left, event in zip(range(len(events), 0, -1), events, strict=True):
        model.predictor.learn(event, ranks=left <= RANKED)
    assert len(encode(model)) < LARGEST


def test_upcoming_stays_bounded_whatever_titles_and_clocks_say() -> None:
    hazard = Hazard()
    for n in range(2_000):
        hazard.learn(Event(START, Operation.WEB_VISIT, f"{n % 700}.example", detail=f"{n}" + "x" * 4_000))
    for n in range(9_000):
        hazard.learn(Event(START, Operation.WINDOW_FOCUS, "title", f"app {n % 500}"))
    state = hazard.state()
    assert sum(map(len, state["details"])) <= MOST_CHARACTERS
    rows = sum(len(moment["symbols"]) for moment in state["moments"].values())
    assert MOST_ROWS - MOST_SEEN <= rows <= MOST_ROWS + MOST_SEEN
    assert state["names"][-1][0] == "window_focus"


@settings(deadline=None)
@given(
    decay=st.sampled_from([1.0, 0.5]),
    most=st.integers(2, 40),
    met=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=200),
)
def test_a_table_is_bounded_and_knows_the_last_context(decay: float, most: int, met: list[tuple[int, int]]) -> None:
    table = Table(decay, most)
    for context, symbol in met:
        table.add(context, symbol)
        assert next(reversed(table.find(context))) == symbol
    restored = Table(decay, most)
    restored.restore(table.state())
    for kept in (table, restored):
        state = kept.state()
        longest = 1 + 11 + 1  # one context with all symbols and its unit: it may begin when the others are at the limit
        units = len(state["contexts"]) if decay != 1 else 0
        assert len(state["contexts"]) + len(state["keys"]) - units <= most + 2 * longest
        for context in range(31):
            assert list(kept.find(context).items()) == list(table.find(context).items())


def test_the_gaps_of_a_pair_are_bounded() -> None:
    times, at = ArrivalTimes(), START
    for n in range(3 * MOST_GAPS):
        at += timedelta(seconds=7 * n if n % 2 else 5)
        times.learn(Event(at, Operation.PROCESS_START, "a"))
    assert max(times.state()["gaps"]["sizes"]) <= MOST_GAPS
    assert times.expected(Action(Operation.PROCESS_START, "a"))[0] == 5
