"""Synthetic people: deterministic by seed, in time order, written and read without loss."""

import tomllib
from collections import Counter
from datetime import UTC
from pathlib import Path

import pytest

import data
from data.synthetic.people import SAMPLE_LANGUAGE, SAMPLE_START, Person, sample, stream
from memo.core.events import ACTIONS, Operation
from memo.core.grammar import Language, language_of, parse, write

ROOT = Path(data.__file__).parents[1]


@pytest.mark.parametrize("seed", range(4))
def test_stream_is_the_same_for_a_seed(seed: int) -> None:
    assert vars(Person(seed)) == vars(Person(seed))
    assert stream(Person(seed), 2, SAMPLE_START) == stream(Person(seed), 2, SAMPLE_START)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_stream_lines_are_read_back_unchanged(language: Language) -> None:
    events = stream(Person(5, language), 2, SAMPLE_START)
    lines = [write(event, language) for event in events]
    assert [parse(line, UTC) for line in lines] == events
    assert {language_of(line) for line in lines} == {language}


def test_stream_is_in_time_order_and_has_all_operations() -> None:
    streams = [stream(Person(seed), 2, SAMPLE_START) for seed in range(8)]
    assert {event.operation for events in streams for event in events} == set(ACTIONS)
    for events in streams:
        times = [event.at for event in events]
        assert times == sorted(times)


def test_streams_differ_and_their_titles_repeat() -> None:
    streams = [stream(Person(seed), 3, SAMPLE_START) for seed in range(6)]
    assert len({tuple(event.action for event in events[:50]) for events in streams}) == 6
    for events in streams:
        titles = Counter(event.target for event in events if event.operation is Operation.WINDOW_FOCUS)
        assert len(titles) > 20
        assert max(titles.values()) > 2


def test_sample_is_the_shipped_day() -> None:
    shipped = (Path(data.__file__).parent / "sample" / "day.txt").read_text("utf-8").splitlines()
    assert shipped == [write(event, SAMPLE_LANGUAGE) for event in sample()[1]]
    assert 300 <= len(shipped) <= 450
    assert max(event.at for event in sample()[0]) < min(event.at for event in sample()[1])


def test_generator_is_imported_by_no_shipped_module() -> None:
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    files = [file for room in shipped["packages"] for file in (ROOT / room).rglob("*.py")]
    importing = {str(file.relative_to(ROOT)) for file in files if "data.synthetic" in file.read_text("utf-8")}
    assert {name for name in importing if not name.startswith(tuple(shipped["exclude"]))} == set()
