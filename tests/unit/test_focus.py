"""Focus changes as events: settled ones only, each once, titles rarely; usage ends when the person leaves."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from collector.focus.tracker import NEW_S, SETTLE_S, SIMILAR_TITLE_GAP_S, STABLE_S, TITLE_GAP_S, FocusTracker, Window
from memo.core.events import Operation
from memo.core.grammar import MAX_TEXT

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
FLICKER_S = 0.001
LONG_S = 100.0  # any change has settled by then
MAIL, PAGE = Window("1", "Inbox", "thunderbird"), Window("2", "Home", "firefox")


class Script:
    """A tracker with a simulated clock that advances to each time at which something is due."""

    def __init__(self) -> None:
        self.focus = FocusTracker()
        self.now = 0.0
        self.reported: list[tuple[str, str, str]] = []

    @property
    def at(self) -> datetime:
        return START + timedelta(seconds=self.now)

    def see(self, window: Window | None, for_s: float = LONG_S) -> None:
        self.focus.set_window(window, self.now)
        self.wait(for_s)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.focus.due_in(self.now)) is not None and self.now + due < end:
            self.now += due
            self._collect()
        self.now = end

    def _collect(self) -> None:
        for event in self.focus.take_events(self.now, self.at):
            self.reported.append((event.operation.value, event.target, event.app or event.detail))

    def focused(self) -> list[str]:
        return [target for operation, target, _ in self.reported if operation == Operation.WINDOW_FOCUS]

    def used(self) -> list[tuple[str, str]]:
        return [(app, detail) for operation, app, detail in self.reported if operation == Operation.APP_USAGE]


@pytest.fixture
def script() -> Script:
    return Script()


def titles(script: Script, given: Sequence[str], each_s: float) -> None:
    for title in given:
        script.see(Window(PAGE.key, title, PAGE.app), each_s)


def test_focus_each_switch_is_one_event_and_ends_usage(script: Script) -> None:
    for window in (MAIL, PAGE, MAIL):
        script.see(window)
        script.see(window)
    assert script.reported == [
        ("window_focus", "Inbox", "thunderbird"),
        ("app_usage", "thunderbird", f"{2 * LONG_S:.0f}"),
        ("window_focus", "Home", "firefox"),
        ("app_usage", "firefox", f"{2 * LONG_S:.0f}"),
        ("window_focus", "Inbox", "thunderbird"),
    ]


def test_focus_that_stood_is_told_apart_and_counts_as_usage(script: Script) -> None:
    script.focus.set_window(MAIL, script.now)
    script.focus.note_standing()
    script.wait(LONG_S)
    assert [event.target for event in script.focus.take_standing()] == ["Inbox"]
    script.see(PAGE)
    script.see(MAIL)
    assert script.focused() == ["Home", "Inbox"] and script.focus.take_standing() == []
    assert script.used()[0][0] == "thunderbird"


def test_focus_on_an_empty_screen_that_stood_is_a_switch(script: Script) -> None:
    script.focus.note_standing()
    script.see(MAIL)
    assert script.focused() == ["Inbox"] and script.focus.take_standing() == []


def test_focus_without_change_nothing_is_due(script: Script) -> None:
    script.see(MAIL)
    assert script.focus.due_in(script.now) is None


def test_focus_window_passed_quickly_is_no_event(script: Script) -> None:
    script.see(MAIL)
    script.see(PAGE, SETTLE_S / 2)
    script.see(Window("3", "Notes", "gedit"))
    assert script.focused() == ["Inbox", "Notes"]


def test_focus_passing_name_of_a_new_window_is_no_event(script: Script) -> None:
    script.see(MAIL)
    script.see(Window("3", "Suite 7.4", "start-centre"), NEW_S / 2)
    script.see(Window("3", "letter.odt", "writer"))
    script.see(MAIL)
    script.see(Window("3", "letter.odt", "writer"), 2 * SETTLE_S)
    assert script.focused() == ["Inbox", "letter.odt", "Inbox", "letter.odt"]
    assert [app for app, _ in script.used()] == ["thunderbird", "writer", "thunderbird"]


def test_focus_window_of_another_app_by_now_is_told(script: Script) -> None:
    script.see(Window("3", "Suite 7.4", "start-centre"), 2 * STABLE_S)
    script.see(Window("3", "Suite 7.4", "writer"), 2 * STABLE_S)
    assert [act[1:] for act in script.reported[-2:]] == [("start-centre", "3"), ("Suite 7.4", "writer")]


def test_focus_brief_lack_of_window_is_ignored(script: Script) -> None:
    script.see(MAIL)
    script.see(None, FLICKER_S)
    script.see(MAIL)
    script.see(None, FLICKER_S)
    script.see(PAGE)
    assert script.focused() == ["Inbox", "Home"]
    assert script.used() == [("thunderbird", f"{2 * LONG_S:.0f}")]


def test_focus_no_window_ends_usage_and_return_is_no_switch(script: Script) -> None:
    script.see(MAIL)
    script.see(None)
    script.see(MAIL, 50)
    script.see(PAGE)
    assert script.focused() == ["Inbox", "Home"]
    assert script.used() == [("thunderbird", "100"), ("thunderbird", "50")]


def test_focus_flickering_title_does_not_hide_the_switch(script: Script) -> None:
    script.see(MAIL)
    titles(script, ["a", "b"] * 50, SETTLE_S / 3)
    assert script.focused()[0] == "Inbox" and len(script.focused()) == 2


def test_focus_only_stable_titles_are_events(script: Script) -> None:
    titles(script, ["Home"], LONG_S)
    titles(script, ["Untitled", "Loading", "News"], STABLE_S / 2)
    script.wait(LONG_S)
    assert script.focused() == ["Home", "News"]


def test_focus_titles_are_rate_limited_and_the_last_wins(script: Script) -> None:
    titles(script, ["one", "two", "three", "four"], TITLE_GAP_S / 3)
    script.wait(LONG_S)
    assert script.focused() == ["one", "four"]


def test_focus_counting_title_is_reported_rarely(script: Script) -> None:
    minutes = 3
    counted = [f"Download {second} %" for second in range(0, int(minutes * SIMILAR_TITLE_GAP_S), 2)]
    titles(script, counted, 2.0)
    assert 2 <= len(script.focused()) <= minutes + 1


def test_focus_unread_count_is_no_new_title(script: Script) -> None:
    titles(script, ["Inbox", "(1) Inbox", "(2) Inbox"], LONG_S)
    assert script.focused() == ["Inbox"]


def test_focus_spinner_that_returns_is_no_event(script: Script) -> None:
    titles(script, ["make", *["* make", "+ make"] * 20, "make"], STABLE_S / 4)
    script.wait(LONG_S)
    assert script.focused() == ["make"]


def test_focus_untitled_window_is_named_by_its_app(script: Script) -> None:
    script.see(Window("1", " \n", "xeyes"))
    script.see(Window("2", "", ""))
    assert script.focused() == ["xeyes"]
    assert script.used() == [("xeyes", f"{LONG_S:.0f}")]


def test_focus_titles_are_cleaned_and_cut(script: Script) -> None:
    script.see(Window("1", "a\nb\x1b]0;c\udcff" + "x" * 1_000_000, "xterm"))
    (title,) = script.focused()
    assert title.startswith("a b ]0;c x") and len(title) == MAX_TEXT


def test_focus_usage_ends_when_away_and_starts_again(script: Script) -> None:
    script.see(MAIL)
    script.focus.set_away("idle", script.at - timedelta(seconds=30))
    script.wait(LONG_S)
    script.focus.set_back("idle")
    script.wait(40)
    script.see(PAGE)
    assert script.focused() == ["Inbox", "Home"]
    assert script.used() == [("thunderbird", "70"), ("thunderbird", "40")]


def test_focus_one_of_two_reasons_keeps_person_away(script: Script) -> None:
    script.see(MAIL)
    for reason in ("idle", "locked"):
        script.focus.set_away(reason, script.at)
    script.focus.set_back("idle")
    script.wait(LONG_S)
    script.see(PAGE)
    assert script.used() == [("thunderbird", f"{LONG_S:.0f}")]
    assert script.focused() == ["Inbox", "Home"], "a window that comes up meanwhile is still reported"


@pytest.mark.parametrize("by", [timedelta(days=365), timedelta(days=-365)], ids=["on", "back"])
def test_focus_clock_change_is_no_usage(by: timedelta) -> None:
    focus = FocusTracker()
    focus.set_window(MAIL, 0.0)
    focus.take_events(1.0, START)
    focus.shift_clock(by)
    focus.set_window(PAGE, 60.0)
    reported = focus.take_events(61.0, START + by + timedelta(seconds=60))
    assert [event.detail for event in reported if event.operation is Operation.APP_USAGE] == ["60"]
