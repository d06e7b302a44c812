"""How long somebody was at the machine while no window was seen in use: a source of the focus may see nothing."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from memo.core.events import Event, Operation
from memo.protocols import Presence

LONGEST_S = 3600.0  # that may be due to work without any window
SEEN = frozenset({Operation.WINDOW_FOCUS, Operation.APP_USAGE})
UNSEEN = (
    "Somebody was at this machine for an hour, and no window was seen in use; look up in docs/sources.md what this "
    "source needs, then run `memo down` and `memo up` in your desktop session."
)


class UnseenTime:
    """Adds up that time by the source that reports presence; threads share it.

    Whoever leaves a window ends its usage, which is an event. So a time counts once somebody has left, and any event of
    a window, from whatever source, begins all counts again. `tell` gets a source and what is wrong with it, or "".
    """

    def __init__(
        self,
        tell: Callable[[str, str], None],
        longest_s: float = LONGEST_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell, self._longest_s, self._clock = tell, longest_s, clock
        self._since: dict[str, float] = {}  # when somebody came, by source
        self._seconds = defaultdict[str, float](float)
        self._told = set[str]()
        self._lock = threading.Lock()

    def note_presence(self, source: str, presence: Presence) -> None:
        """Count the time between a source's reports that somebody came and that they left; ignore a leave alone."""
        with self._lock:
            if presence.is_there:
                self._since[source] = self._clock()
                return
            left = self._clock() - presence.for_s
            self._seconds[source] += max(0.0, left - self._since.pop(source, left))
            if self._seconds[source] >= self._longest_s and source not in self._told:
                self._told.add(source)
                self._tell(source, UNSEEN)

    def note_events(self, events: Iterable[Event]) -> None:
        """Begin again if one of these events is of a window."""
        if not any(event.operation in SEEN for event in events):
            return
        with self._lock:
            self._since.clear()
            self._seconds.clear()
            for source in self._told:
                self._tell(source, "")
            self._told.clear()
