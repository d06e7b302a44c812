"""The clock under watch: a person is told that it was set, for a while, and not that it is a little off."""

from datetime import timedelta

import pytest
from clocks import Clock

from memo.clock.watch import ClockWatch

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize("by", [timedelta(days=1095), -HOUR])
def test_clock_that_was_set_is_told_for_an_hour(by: timedelta) -> None:
    clock = Clock()
    watch = ClockWatch(clock)
    assert not watch.look()
    clock.at += by
    assert f"to {clock.at.astimezone():%Y-%m-%d %H:%M}" in (told := watch.look())
    clock.wait(59 * MINUTE)
    assert watch.look() == told
    clock.wait(2 * MINUTE)
    assert not watch.look()


def test_clock_set_right_again_is_told_too() -> None:
    clock = Clock()
    watch = ClockWatch(clock)
    clock.at += HOUR
    first = watch.look()
    clock.at -= HOUR
    assert watch.look() not in ("", first)


def test_small_correction_and_a_night_asleep_are_not_told() -> None:
    clock = Clock()
    watch = ClockWatch(clock)
    clock.at += 4 * MINUTE
    assert not watch.look()
    clock.wait(8 * HOUR)
    assert not watch.look()
