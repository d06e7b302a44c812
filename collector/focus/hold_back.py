"""Hold events back: the start of an app is noticed a moment after its first window, but has to come before it."""

from collections import deque
from collections.abc import Callable, Sequence

from collector.launch import proc
from memo.core.events import Event
from memo.core.settings import Settings


class HoldBack:
    """A queue of events, each of which may wait for the report of a start, and for the events before it."""

    def __init__(self, told_s: float = 0.0, clock: Callable[[], float] = proc.now) -> None:
        self._told_s, self._clock = told_s, clock
        self._held = deque[tuple[float, Sequence[Event]]]()

    def add(self, events: Sequence[Event], began: float) -> None:
        """Add events of a window whose process began at a time on the clock; 0 if that is unknown."""
        if events:
            earliest = self._held[-1][0] if self._held else 0.0
            self._held.append((max(earliest, began + self._told_s), events))

    def due_in(self) -> float | None:
        """Return the seconds until `take` has events; None if nothing waits."""
        return max(0.0, self._held[0][0] - self._clock()) if self._held else None

    def take(self, all_of_them: bool = False) -> list[Event]:
        """Return the events that need to wait no longer, and forget them."""
        taken = list[Event]()
        while self._held and (all_of_them or self._held[0][0] <= self._clock()):
            taken += self._held.popleft()[1]
        return taken


def told_s(settings: Settings) -> float:
    """Return the age of a process by which its start has been reported; 0 if no source reports starts."""
    return proc.TOLD_S if proc.SOURCE in settings.sources.on else 0.0
