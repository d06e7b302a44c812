"""Turn raw focus changes, however frequent, into the events of one person at one screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.launch import proc
from memo.core.bounded import BoundedDict
from memo.core.events import Action, Event, Operation
from memo.core.grammar import clean
from memo.desktop.apps import Apps

SETTLE_S = 0.010  # a window focused for less was only passed on the way to another one
NEW_S = 0.2  # the same at its first focus: meanwhile many programs give it another title, and some another class
STABLE_S = 1.0  # a new title, or no focus at all, counts after that long; a spinner in a title never does
TITLE_GAP_S = 5.0  # from an event of a window to its next title
MIN_USAGE_S = 1.0  # a shorter usage of an app was only a step on the way to another window
MAX_KNOWN = 1_000  # windows
SIMILAR_TITLE_GAP_S = 60.0  # the same where only digits and signs differ, as in a clock, count or progress
PASSING = ("splash", "utility", "toolbar", "menu", "dropdown_menu", "popup_menu", "tooltip", "notification", "combo")
"""Types of X11 windows that only pass; a dialog that belongs to no other window does not."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window as a source sees it; `key` identifies it on its screen."""

    key: str
    title: str
    app: str
    executable: str = ""
    began: float = 0.0  # of its process, in seconds since boot; 0 if unknown

    @property
    def action(self) -> Action:
        """The focus on this window; a window without a title is named by its app, and may have an empty target."""
        return Action(Operation.WINDOW_FOCUS, clean(self.title).strip() or self.app, self.app)


def make_window(apps: Apps, key: str, names: Sequence[str], title: str, pid: int = 0) -> Window:
    """Return a window; `names` are its app id or the parts of its class, and `pid` is 0 if unknown."""
    process = proc.read(pid) if pid > 0 else None
    executable, began = (clean(process.executable), process.began) if process else ("", 0.0)
    return Window(key, title, apps.of_window(names, executable), executable, began)


class Usage:
    """The app in use by one person at one screen. Each call returns the usage event that it ends, or nothing."""

    def __init__(self, min_s: float = MIN_USAGE_S) -> None:
        self._app, self._since, self._min_s = "", datetime.min, min_s

    def start(self, app: str, at: datetime) -> list[Event]:
        """Start the usage of an app, unless it is in use already."""
        if app == self._app:
            return []
        ended = self.stop(at)
        self._app, self._since = app, at
        return ended

    def stop(self, at: datetime) -> list[Event]:
        """End the usage: the person is away, the machine is asleep, or no window has the focus."""
        app, self._app = self._app, ""
        seconds = (at - self._since).total_seconds() if app else 0.0
        return [Event(at, Operation.APP_USAGE, app, detail=f"{seconds:.0f}")] if app and seconds >= self._min_s else []

    def shift_clock(self, by: timedelta) -> None:
        """Record that the wall clock was set, so that the duration does not change."""
        if self._app:
            self._since += by


class FocusTracker:
    """Takes focus changes and returns events. Times named `now` are seconds on the monotonic clock."""

    def __init__(
        self,
        settle_s: float = SETTLE_S,
        new_s: float = NEW_S,
        title_gap_s: float = TITLE_GAP_S,
        min_usage_s: float = MIN_USAGE_S,
    ) -> None:
        self._settle_s, self._new_s, self._title_gap_s = settle_s, new_s, title_gap_s
        self._usage = Usage(min_usage_s)
        self._in_use = False
        self._away, self._left_at = set[str](), datetime.min
        self._current: Window | None = None
        self._focused_at = self._changed_at = 0.0
        self._reported: Window | None = None
        self._reported_at = 0.0
        self._known: BoundedDict[str, None] = BoundedDict(MAX_KNOWN)  # keys of windows that were reported
        self._events = list[Event]()
        self._stood: Window | None = None
        self._standing = list[Event]()

    @property
    def left_at(self) -> datetime | None:
        """When the person left; None while nothing says that they are away."""
        return self._left_at if self._away else None

    @property
    def began(self) -> float:
        """When the process of the window in front began, in seconds since boot; 0 if unknown."""
        return self._current.began if self._current else 0.0

    def set_window(self, window: Window | None, now: float) -> None:
        """Record the window that has the focus now, or that none has."""
        if window is not None and not window.action.target:
            window = None
        if window != self._current:
            if window is None or self._current is None or window.key != self._current.key:
                self._focused_at = now
            self._current, self._changed_at = window, now

    def note_standing(self) -> None:
        """Record that the window that has the focus now, if one has, had it before anybody looked."""
        self._stood = self._current

    def take_standing(self) -> list[Event]:
        """Return the focus that stood, once `take_events` is certain of it, and forget it."""
        events, self._standing = self._standing, []
        return events

    def set_away(self, reason: str, at: datetime) -> None:
        """Record that the person has been away since `at`, until `set_back` is called with the same reason."""
        self._left_at = self._left_at if self._away else at
        self._away.add(reason)
        self._end_usage(at)

    def set_back(self, reason: str) -> None:
        """Record that a reason to be away no longer applies."""
        self._away.discard(reason)

    def shift_clock(self, by: timedelta) -> None:
        """Record that the wall clock, which gives events their times, was set."""
        self._usage.shift_clock(by)

    def due_in(self, now: float) -> float | None:
        """Return the seconds until `take_events` has events; None if it has none before the next change."""
        due = now if self._events else self._due()
        return None if due is None else max(0.0, due - now)

    def take_events(self, now: float, at: datetime) -> list[Event]:
        """Return the events that are certain by now, and forget them."""
        due = self._due()
        if due is not None and due <= now:
            self._report(now, at)
        events, self._events = self._events, []
        return events

    def _due(self) -> float | None:
        if self._current is None:
            return self._focused_at + STABLE_S if self._in_use else None
        reported = self._reported
        if reported is None or self._current.key != reported.key or not (self._in_use or self._away):
            return self._focused_at + (self._settle_s if self._current.key in self._known else self._new_s)
        if self._current.app != reported.app:
            return self._changed_at + STABLE_S
        title, reported_title = self._current.action.identity, reported.action.identity
        if title == reported_title:
            return None
        is_similar = _letters(title.target) == _letters(reported_title.target)
        gap_s = SIMILAR_TITLE_GAP_S if is_similar else self._title_gap_s
        return max(self._changed_at + STABLE_S, self._reported_at + gap_s)

    def _report(self, now: float, at: datetime) -> None:
        if self._current is None:
            self._end_usage(at - timedelta(seconds=now - self._focused_at))
            return
        if not self._away:
            self._in_use = True
            self._events += self._usage.start(self._current.app, at)
        action, reported = self._current.action, self._reported
        if reported is None or (self._current.key, action.identity) != (reported.key, reported.action.identity):
            self._reported, self._reported_at = self._current, now
            self._known[self._current.key] = None
            executable = clean(self._current.executable)
            stands = reported is None and self._stood is not None and self._stood.key == self._current.key
            events = self._standing if stands else self._events
            events.append(Event(at, action.operation, action.target, action.place, executable=executable))

    def _end_usage(self, at: datetime) -> None:
        self._in_use = False
        self._events += self._usage.stop(at)


def _letters(title: str) -> str:
    return "".join(filter(str.isalpha, title))
