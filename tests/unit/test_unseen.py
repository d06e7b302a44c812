"""Time at the machine without any window: told once it is long, and never where windows are seen."""

from datetime import UTC, datetime

import pytest

from collector.focus.unseen import LONGEST_S, UNSEEN, UnseenTime
from memo.core.events import Event, Operation
from memo.protocols import Presence

MINUTE_S = 60.0
IDLE_S = 180.0


class Script:
    """Somebody comes and goes on a simulated clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[tuple[str, str]] = []
        self.unseen = UnseenTime(lambda source, says: self.told.append((source, says)), clock=lambda: self.now)

    def stay(self, seconds: float, source: str = "x11") -> None:
        """Come, be there, and be noticed to have left when there was no input for a while."""
        self.unseen.note_presence(source, Presence(is_there=True))
        self.now += seconds + IDLE_S
        self.unseen.note_presence(source, Presence(is_there=False, for_s=IDLE_S))
        self.now += 10_000.0  # away

    def happen(self, operation: Operation) -> None:
        self.unseen.note_events([Event(datetime(2026, 3, 2, 9, tzinfo=UTC), operation, "x")])


@pytest.fixture
def script() -> Script:
    return Script()


def test_an_hour_without_a_window_is_told_once(script: Script) -> None:
    for _ in range(3):
        script.stay(20 * MINUTE_S - 1)
    assert script.told == [], "three seconds are missing"
    script.stay(3.0)
    script.stay(LONGEST_S)
    assert script.told == [("x11", UNSEEN)]


@pytest.mark.parametrize("seen", [Operation.WINDOW_FOCUS, Operation.APP_USAGE])
def test_a_window_from_any_source_takes_it_back(script: Script, seen: Operation) -> None:
    script.stay(LONGEST_S)
    script.happen(seen)
    assert script.told == [("x11", UNSEEN), ("x11", "")]
    script.stay(LONGEST_S - 1)
    assert len(script.told) == 2, "it begins again"


def test_hours_in_one_window_are_no_alarm(script: Script) -> None:
    """Nothing happens until the person leaves, which ends the usage."""
    for _ in range(3):
        script.unseen.note_presence("x11", Presence(is_there=True))
        script.now += 8 * LONGEST_S
        script.happen(Operation.APP_USAGE)
        script.unseen.note_presence("x11", Presence(is_there=False, for_s=IDLE_S))
    assert script.told == []


def test_nobody_there_is_no_alarm(script: Script) -> None:
    script.now += 100 * LONGEST_S
    script.unseen.note_presence("x11", Presence(is_there=False, for_s=IDLE_S))
    script.stay(MINUTE_S)
    script.now += 100 * LONGEST_S
    assert script.told == [], "nobody knows who was there before the first report"


def test_events_of_no_window_hide_no_blindness(script: Script) -> None:
    script.stay(LONGEST_S / 2)
    script.happen(Operation.PROCESS_START)
    script.happen(Operation.WEB_VISIT)
    script.stay(LONGEST_S / 2)
    assert script.told == [("x11", UNSEEN)]


def test_time_that_two_sources_report_counts_once(script: Script) -> None:
    for source in ("sway", "desktop"):
        script.stay(LONGEST_S * 0.6, source)
    assert script.told == []
