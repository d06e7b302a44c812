"""Pauses: their start, end and span, and the pause that a file which cannot be read stands for."""

import os
import stat
from datetime import datetime, timedelta

import pytest
from clocks import NOW, Clock

from memo.clock import pauses
from memo.core.paths import Home

SECOND = timedelta(seconds=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def covered(home: Home, at: datetime) -> bool:
    return any(pause.covers(at) for pause in pauses.read(home))


def test_current_without_a_pause_is_none(home: Home, clock: Clock) -> None:
    assert pauses.read(home) == [] and pauses.current(home, clock) is None
    pauses.end(home, clock)
    assert not home.paused.exists()


def test_pause_with_a_span_ends_and_stays_covered(home: Home, clock: Clock) -> None:
    made = pauses.begin(home, timedelta(minutes=30), clock)
    assert made.ends and made.until == NOW + timedelta(minutes=30)
    assert pauses.current(home, clock) == made
    clock.wait(timedelta(minutes=30))
    assert pauses.current(home, clock) is None
    for at, expected in ((NOW - SECOND, False), (NOW, True), (made.until - SECOND, True), (made.until, False)):
        assert covered(home, at) is expected


def test_pause_without_a_span_lasts_until_it_is_ended(home: Home, clock: Clock) -> None:
    assert not pauses.begin(home, None, clock).ends
    clock.wait(timedelta(days=400))
    assert pauses.current(home, clock)
    pauses.end(home, clock)
    assert pauses.current(home, clock) is None
    assert covered(home, clock.at - SECOND) and not covered(home, clock.at)


def test_begin_replaces_the_pause_and_loses_no_time(home: Home, clock: Clock) -> None:
    pauses.begin(home, timedelta(minutes=30), clock)
    clock.wait(timedelta(minutes=10))
    pauses.begin(home, None, clock)
    clock.wait(timedelta(minutes=30))
    assert pauses.current(home, clock)
    pauses.begin(home, timedelta(minutes=1), clock)
    clock.wait(timedelta(minutes=2))
    assert pauses.current(home, clock) is None
    assert all(covered(home, NOW + timedelta(minutes=minute)) for minute in range(41))
    pauses.end(home, clock)
    assert not covered(home, clock.at)


def test_pause_covers_the_whole_second_of_its_start(home: Home, clock: Clock) -> None:
    clock.at = NOW + timedelta(milliseconds=700)
    pauses.begin(home, timedelta(minutes=1), clock)
    assert covered(home, NOW), "a line gives whole seconds"
    assert not covered(home, NOW - SECOND)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "garbage",
        "2026-03-02T09:00:00+00:00",
        "a b",
        "2026-03-02T09:00:00 2026-03-03T09:00:00",
        "2026-03-02T09:00:00+00:00 2026-03-02T10:00:00+00:00 x",
        "2026-03-02T09:00:00+00:00 2026-03-02T10:00:00+00:00 one nan",
        "2026-03-02T09:00:00+00:00 2026-03-02T10:00:00+00:00 one -inf",
        "\xff",
    ],
)
def test_read_takes_an_invalid_file_for_an_endless_pause(text: str, home: Home, clock: Clock) -> None:
    home.paused.write_bytes(text.encode("latin-1"))
    pause = pauses.current(home, clock)
    assert pause and not pause.ends and pause.covers(NOW - timedelta(days=9999))
    pauses.end(home, clock)
    assert pauses.read(home) == []


def test_read_takes_a_folder_for_an_endless_pause(home: Home, clock: Clock) -> None:
    home.paused.mkdir()
    assert pauses.current(home, clock)


def test_begin_writes_a_file_of_its_owner_alone(home: Home, clock: Clock) -> None:
    pauses.begin(home, None, clock)
    assert stat.S_IMODE(os.stat(home.paused).st_mode) == 0o600
    assert sorted(path.name for path in home.root.iterdir() if "paused" in path.name) == ["paused"]


def test_current_survives_a_clock_that_is_set_back(home: Home, clock: Clock) -> None:
    made = pauses.begin(home, None, clock)
    clock.at = NOW - timedelta(days=1)
    assert pauses.current(home, clock) == made
    pauses.end(home, clock)
    assert pauses.current(home, clock) is None
    clock.at = NOW + SECOND
    assert pauses.current(home, clock) is None


@pytest.mark.parametrize("set_by", [timedelta(days=1095), timedelta(hours=-1), timedelta(days=-1095)])
def test_a_timed_pause_lasts_its_time_whatever_the_clock_says(home: Home, clock: Clock, set_by: timedelta) -> None:
    pauses.begin(home, timedelta(minutes=30), clock)
    clock.at += set_by
    assert pauses.current(home, clock)
    clock.wait(timedelta(minutes=29))
    assert pauses.current(home, clock)
    clock.wait(timedelta(minutes=1))
    assert pauses.current(home, clock) is None


def test_a_timed_pause_outlasts_a_boot_with_the_clock_set_back(home: Home, clock: Clock) -> None:
    pauses.begin(home, timedelta(minutes=30), clock)
    clock.boot, clock.uptime_s = "other", 5.0
    clock.at = NOW - timedelta(days=1)
    assert pauses.current(home, clock), "it began earlier, whatever the clock says"
    clock.at = NOW + timedelta(minutes=30)
    assert pauses.current(home, clock) is None


def test_a_resumed_pause_stays_ended_with_the_clock_set_back(home: Home, clock: Clock) -> None:
    pauses.begin(home, timedelta(minutes=30), clock)
    clock.wait(timedelta(minutes=5))
    pauses.end(home, clock)
    clock.at = NOW - timedelta(days=1)
    assert pauses.current(home, clock) is None


def test_pauses_of_an_earlier_version_are_read(home: Home, clock: Clock) -> None:
    home.paused.write_text(f"{NOW.isoformat()} {(NOW + timedelta(minutes=30)).isoformat()}\n")
    assert pauses.current(home, clock)
    clock.wait(timedelta(minutes=30))
    assert pauses.current(home, clock) is None
    assert covered(home, NOW)


def test_a_pause_in_force_covers_all_that_comes_now(home: Home, clock: Clock) -> None:
    made = pauses.begin(home, timedelta(minutes=30), clock)
    assert not any(one.covers(NOW - SECOND) for one in pauses.spans(home, clock))
    for jump in (timedelta(days=400), timedelta(days=-800)):
        clock.at += jump
        assert any(one.covers(clock.at) for one in pauses.spans(home, clock))
    clock.wait(timedelta(minutes=30))
    assert pauses.spans(home, clock) == [made]
