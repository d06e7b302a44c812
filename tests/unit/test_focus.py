"""What has the focus becomes events: settled, each once, titles seldom, usage closed when nobody is there."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from collector.focus.tracker import ALIKE_APART_S, APART_S, SETTLE_S, STANDS_S, FocusTracker, Window
from memo.core.events import Operation
from memo.core.grammar import MAX_TEXT

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
FLICKER_S = 0.001
LONG_S = 100.0
"""So long that everything has stood."""
MAIL, PAGE = Window("1", "Inbox", "thunderbird"), Window("2", "Home", "firefox")


class Script:
    """A focus with a clock of its own, which goes on as a source's does: to each time at which something is due."""

    def __init__(self) -> None:
        self.focus = FocusTracker()
        self.now = 0.0
        self.told: list[tuple[str, str, str]] = []

    @property
    def at(self) -> datetime:
        return START + timedelta(seconds=self.now)

    def see(self, window: Window | None, for_s: float = LONG_S) -> None:
        self.focus.see(window, self.now)
        self.wait(for_s)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.focus.wait(self.now)) is not None and self.now + due < end:
            self.now += due
            self._take()
        self.now = end

    def _take(self) -> None:
        for event in self.focus.take(self.now, self.at):
            self.told.append((event.operation.value, event.target, event.app or event.detail))

    def focused(self) -> list[str]:
        return [target for operation, target, _ in self.told if operation == Operation.WINDOW_FOCUS]

    def used(self) -> list[tuple[str, str]]:
        return [(app, detail) for operation, app, detail in self.told if operation == Operation.APP_USAGE]


@pytest.fixture
def script() -> Script:
    return Script()


def titles(script: Script, given: Sequence[str], each_s: float) -> None:
    for title in given:
        script.see(Window(PAGE.key, title, PAGE.app), each_s)


def test_each_switch_is_told_once_and_ends_a_usage(script: Script) -> None:
    for window in (MAIL, PAGE, MAIL):
        script.see(window)
        script.see(window)
    assert script.told == [
        ("window_focus", "Inbox", "thunderbird"),
        ("app_usage", "thunderbird", f"{2 * LONG_S:.0f}"),
        ("window_focus", "Home", "firefox"),
        ("app_usage", "firefox", f"{2 * LONG_S:.0f}"),
        ("window_focus", "Inbox", "thunderbird"),
    ]


def test_nothing_is_due_while_nothing_changes(script: Script) -> None:
    script.see(MAIL)
    assert script.focus.wait(script.now) is None


def test_a_window_that_was_passed_on_the_way_is_no_event(script: Script) -> None:
    script.see(MAIL)
    script.see(PAGE, SETTLE_S / 2)
    script.see(Window("3", "Notes", "gedit"))
    assert script.focused() == ["Inbox", "Notes"]


def test_a_moment_without_a_window_is_none(script: Script) -> None:
    script.see(MAIL)
    script.see(None, FLICKER_S)
    script.see(MAIL)
    script.see(None, FLICKER_S)
    script.see(PAGE)
    assert script.focused() == ["Inbox", "Home"]
    assert script.used() == [("thunderbird", f"{2 * LONG_S:.0f}")]


def test_no_window_ends_a_usage_when_it_went_and_the_same_window_is_no_switch(script: Script) -> None:
    script.see(MAIL)
    script.see(None)
    script.see(MAIL, 50)
    script.see(PAGE)
    assert script.focused() == ["Inbox", "Home"]
    assert script.used() == [("thunderbird", "100"), ("thunderbird", "50")]


def test_a_title_of_a_new_window_that_never_rests_does_not_hide_the_switch(script: Script) -> None:
    script.see(MAIL)
    titles(script, ["a", "b"] * 50, SETTLE_S / 3)
    assert script.focused()[0] == "Inbox" and len(script.focused()) == 2


def test_a_title_that_stands_is_told_and_one_on_the_way_is_not(script: Script) -> None:
    titles(script, ["Home"], LONG_S)
    titles(script, ["Untitled", "Loading", "News"], STANDS_S / 2)
    script.wait(LONG_S)
    assert script.focused() == ["Home", "News"]


def test_titles_come_apart_and_the_last_one_wins(script: Script) -> None:
    titles(script, ["one", "two", "three", "four"], APART_S / 3)
    script.wait(LONG_S)
    assert script.focused() == ["one", "four"]


def test_a_title_that_counts_is_told_seldom(script: Script) -> None:
    minutes = 3
    counted = [f"Download {second} %" for second in range(0, int(minutes * ALIKE_APART_S), 2)]
    titles(script, counted, 2.0)
    assert 2 <= len(script.focused()) <= minutes + 1


def test_unread_counts_are_no_new_title(script: Script) -> None:
    titles(script, ["Inbox", "(1) Inbox", "(2) Inbox"], LONG_S)
    assert script.focused() == ["Inbox"]


def test_a_spinner_that_comes_back_to_rest_is_no_event(script: Script) -> None:
    titles(script, ["make", *["* make", "+ make"] * 20, "make"], STANDS_S / 4)
    script.wait(LONG_S)
    assert script.focused() == ["make"]


def test_a_window_without_a_title_is_called_as_its_app_and_one_without_both_is_none(script: Script) -> None:
    script.see(Window("1", " \n", "xeyes"))
    script.see(Window("2", "", ""))
    assert script.focused() == ["xeyes"]
    assert script.used() == [("xeyes", f"{LONG_S:.0f}")]


def test_titles_are_cleaned_and_bounded(script: Script) -> None:
    script.see(Window("1", "a\nb\x1b]0;c\udcff" + "x" * 1_000_000, "xterm"))
    (title,) = script.focused()
    assert title.startswith("a b ]0;c x") and len(title) == MAX_TEXT


def test_usage_ends_where_nobody_is_there_and_begins_anew(script: Script) -> None:
    script.see(MAIL)
    script.focus.away("idle", script.at - timedelta(seconds=30))
    script.wait(LONG_S)
    script.focus.back("idle")
    script.wait(40)
    script.see(PAGE)
    assert script.focused() == ["Inbox", "Home"]
    assert script.used() == [("thunderbird", "70"), ("thunderbird", "40")]


def test_one_of_two_reasons_keeps_the_person_away(script: Script) -> None:
    script.see(MAIL)
    for reason in ("idle", "locked"):
        script.focus.away(reason, script.at)
    script.focus.back("idle")
    script.wait(LONG_S)
    script.see(PAGE)
    assert script.used() == [("thunderbird", f"{LONG_S:.0f}")]
    assert script.focused() == ["Inbox", "Home"], "a window that comes up meanwhile is still told"


@pytest.mark.parametrize("by", [timedelta(days=365), timedelta(days=-365)], ids=["on", "back"])
def test_a_clock_that_is_set_is_no_usage(by: timedelta) -> None:
    focus = FocusTracker()
    focus.see(MAIL, 0.0)
    focus.take(1.0, START)
    focus.clock_set(by)
    focus.see(PAGE, 60.0)
    told = focus.take(61.0, START + by + timedelta(seconds=60))
    assert [event.detail for event in told if event.operation is Operation.APP_USAGE] == ["60"]
