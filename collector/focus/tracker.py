"""What has the focus, told as often as it changes, becomes the events of one person at one screen."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.focus.usage import Usage
from memo.core.events import Action, Event, Operation
from memo.core.grammar import clean

SETTLE_S = 0.010
"""A window that has the focus for less was passed on the way to another one."""
STANDS_S = 1.0
"""A new title, or no window at all, counts once it has stood so long; what spins in a title never does."""
APART_S, ALIKE_APART_S = 5.0, 60.0
"""From an event of a window to its next title; the second one where the letters are the same, as in a clock, a count
or progress: a person changes pages, a program counts."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window as it is seen; `key` tells it from the others of its screen."""

    key: str
    title: str
    app: str
    executable: str = ""

    @property
    def action(self) -> Action:
        """The focus on it. A window without a title is called as its app; the target is empty where it has neither."""
        return Action(Operation.WINDOW_FOCUS, clean(self.title).strip() or self.app, self.app)


class FocusTracker:
    """Takes what has the focus, gives events. Times named `now` are of the monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._usage = Usage()
        self._used = False
        self._away = set[str]()
        self._seen: Window | None = None
        self._focused = self._changed = 0.0
        self._told: Window | None = None
        self._told_at = 0.0
        self._events = list[Event]()

    def see(self, window: Window | None, now: float) -> None:
        """This window has the focus now, or none has."""
        if window is not None and not window.action.target:
            window = None
        if window != self._seen:
            if window is None or self._seen is None or window.key != self._seen.key:
                self._focused = now
            self._seen, self._changed = window, now

    def away(self, reason: str, at: datetime) -> None:
        """Nobody has been there since `at`, until `back` is called with the same reason."""
        self._away.add(reason)
        self._leave(at)

    def back(self, reason: str) -> None:
        """This reason is over."""
        self._away.discard(reason)

    def clock_set(self, by: timedelta) -> None:
        """The clock that gives events their times was set."""
        self._usage.clock_set(by)

    def wait(self, now: float) -> float | None:
        """Seconds until `take` has something to give; None where it has nothing before the next change."""
        due = now if self._events else self._due()
        return None if due is None else max(0.0, due - now)

    def take(self, now: float, at: datetime) -> list[Event]:
        """The events that are certain now."""
        due = self._due()
        if due is not None and due <= now:
            self._settle(now, at)
        found, self._events = self._events, []
        return found

    def _due(self) -> float | None:
        if self._seen is None:
            return self._focused + STANDS_S if self._used else None
        if self._told is None or self._seen.key != self._told.key or not (self._used or self._away):
            return self._focused + SETTLE_S
        seen, told = self._seen.action.identity, self._told.action.identity
        if seen == told:
            return None
        apart = ALIKE_APART_S if _letters(seen.target) == _letters(told.target) else APART_S
        return max(self._changed + STANDS_S, self._told_at + apart)

    def _settle(self, now: float, at: datetime) -> None:
        if self._seen is None:
            self._leave(at - timedelta(seconds=now - self._focused))
            return
        if not self._away:
            self._used = True
            self._add(self._usage.focused(self._seen.app, at))
        action = self._seen.action
        if self._told is None or (self._seen.key, action.identity) != (self._told.key, self._told.action.identity):
            self._told, self._told_at = self._seen, now
            executable = clean(self._seen.executable)
            self._add(Event(at, action.operation, action.target, action.place, executable=executable))

    def _leave(self, at: datetime) -> None:
        self._used = False
        self._add(self._usage.left(at))

    def _add(self, event: Event | None) -> None:
        if event is not None:
            self._events.append(event)


def _letters(title: str) -> str:
    return "".join(filter(str.isalpha, title))
