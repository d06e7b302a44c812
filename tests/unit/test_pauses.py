"""Pauses: their start, end and span, and the pause that a file which cannot be read stands for."""

import os
import stat
from datetime import UTC, datetime, timedelta

import pytest

from memo.core import pauses
from memo.core.paths import Home

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Clock(datetime):
    """A clock that stands still until it is set."""

    at = NOW

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return cls.at


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    Clock.at = NOW
    monkeypatch.setattr(pauses, "datetime", Clock)
    return Clock


def covered(home: Home, at: datetime) -> bool:
    return any(pause.covers(at) for pause in pauses.read(home))


def test_current_without_a_pause_is_none(home: Home) -> None:
    assert pauses.read(home) == [] and pauses.current(home) is None
    pauses.end(home)
    assert not home.paused.exists()


def test_pause_with_a_span_ends_and_stays_covered(home: Home, clock: type[Clock]) -> None:
    made = pauses.begin(home, timedelta(minutes=30))
    assert made.ends and made.until == NOW + timedelta(minutes=30)
    assert pauses.current(home) == made
    clock.at = made.until
    assert pauses.current(home) is None
    for at, expected in ((NOW - SECOND, False), (NOW, True), (made.until - SECOND, True), (made.until, False)):
        assert covered(home, at) is expected


def test_pause_without_a_span_lasts_until_it_is_ended(home: Home, clock: type[Clock]) -> None:
    assert not pauses.begin(home, None).ends
    clock.at = NOW + timedelta(days=400)
    assert pauses.current(home)
    pauses.end(home)
    assert pauses.current(home) is None
    assert covered(home, clock.at - SECOND) and not covered(home, clock.at)


def test_begin_replaces_the_pause_and_loses_no_time(home: Home, clock: type[Clock]) -> None:
    pauses.begin(home, timedelta(minutes=30))
    clock.at = NOW + timedelta(minutes=10)
    pauses.begin(home, None)
    clock.at = NOW + timedelta(minutes=40)
    assert pauses.current(home)
    pauses.begin(home, timedelta(minutes=1))
    clock.at = NOW + timedelta(minutes=42)
    assert pauses.current(home) is None
    assert all(covered(home, NOW + timedelta(minutes=minute)) for minute in range(41))
    pauses.end(home)
    assert not covered(home, clock.at)


def test_pause_covers_the_whole_second_of_its_start(home: Home, clock: type[Clock]) -> None:
    clock.at = NOW + timedelta(milliseconds=700)
    pauses.begin(home, timedelta(minutes=1))
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
        "\xff",
    ],
)
def test_read_takes_an_invalid_file_for_an_endless_pause(text: str, home: Home) -> None:
    home.paused.write_bytes(text.encode("latin-1"))
    pause = pauses.current(home)
    assert pause and not pause.ends and pause.covers(NOW - timedelta(days=9999))
    pauses.end(home)
    assert pauses.read(home) == []


def test_read_takes_a_folder_for_an_endless_pause(home: Home) -> None:
    home.paused.mkdir()
    assert pauses.current(home)


def test_begin_writes_a_file_of_its_owner_alone(home: Home) -> None:
    pauses.begin(home, None)
    assert stat.S_IMODE(os.stat(home.paused).st_mode) == 0o600
    assert sorted(path.name for path in home.root.iterdir() if "paused" in path.name) == ["paused"]


def test_current_survives_a_clock_that_is_set_back(home: Home, clock: type[Clock]) -> None:
    made = pauses.begin(home, None)
    clock.at = NOW - timedelta(days=1)
    assert pauses.current(home) == made
    pauses.end(home)
    assert pauses.current(home) is None
    clock.at = NOW + SECOND
    assert pauses.current(home) is None
