"""Where a stream stands now: the last symbols, runs, gaps, the app in front, what is open."""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Hashable, Mapping
from datetime import datetime

from memo.core.events import HUMAN, TABS, Action, Event, Operation
from worker.predictors.history.candidate_ids import CandidateIds

GAPS_S = (0, 1, 3, 10, 30, 60, 120, 600, 3_600)
"""Bounds of the buckets of a time between events, in seconds."""
CHAIN = 7
"""Longest chain of operations."""
LONG_RUN = 6


class Context:
    """A function of the latest events; `contexts` are what the tables are asked by."""

    def __init__(self, symbols: CandidateIds) -> None:
        self._symbols = symbols
        self.recent: deque[int] = deque(maxlen=CHAIN)
        self.run, self.coarse_run = 0, 0
        """How often the last action, or its coarse form, came in a row."""
        self.human: int | None = None
        """The last human action."""
        self.focus = ""
        """The app in front."""
        self.open: Counter[str] = Counter()
        """Starts less ends of each app."""
        self._tabs: dict[str, str] = {}
        """What the titles of each browser say of its tabs now."""
        self._at: datetime | None = None
        self._coarse_at: dict[int, datetime] = {}
        self._gap, self._age = 0, 0
        """Buckets: of the time before the last event, and since its coarse form came before that."""

    def move_on(self, symbol: int, event: Event) -> None:
        """The event has come, and with it its symbol."""
        coarse = int(self._symbols.coarse[symbol])
        before = self.recent[-1] if self.recent else None
        self.run = self.run + 1 if before == symbol else 1
        same = before is not None and self._symbols.coarse[before] == coarse
        self.coarse_run = self.coarse_run + 1 if same else 1
        self._gap = _bucket(self._at, event.at) if self._at else 0
        self._age = _bucket(self._coarse_at.get(coarse), event.at)
        self._coarse_at[coarse] = self._at = event.at
        self.recent.append(symbol)
        if event.operation in HUMAN:
            self.human = symbol
        self._note_apps(event)

    def _note_apps(self, event: Event) -> None:
        match event.operation:
            case Operation.WINDOW_FOCUS:
                self.focus = event.app
                tabs = TABS.search(event.target)
                if tabs or event.app in self._tabs:
                    self._tabs[event.app] = tabs[0] if tabs else ""
            case Operation.PROCESS_START:
                self.open[event.target] += 1
            case Operation.PROCESS_END:
                self.open[event.target] = max(0, self.open[event.target] - 1)

    def with_tabs(self, action: Action) -> Action:
        """A window's title with the browser's tabs as they are now."""
        if action.place not in self._tabs:
            return action
        return Action(action.operation, TABS.sub(self._tabs[action.place], action.target), action.place)

    def contexts(self) -> Mapping[str, Hashable]:
        """By the name of a table, the context in which it stands; one that has none yet is left out."""
        recent = tuple(self.recent)
        if not recent:
            return {}
        coarse = tuple(self._symbols.coarse[list(recent[-2:])].tolist())
        operations = tuple(self._symbols.operation[list(recent)].tolist())
        contexts: dict[str, Hashable] = {
            "coarse1": coarse[-1],
            "lately1": coarse[-1],
            "lately2": coarse,
            "gap1": (coarse[-1], self._gap),
            "gap2": (coarse, self._gap),
            "age": (coarse[-1], self._age),
            "run": (coarse[-1], min(self.coarse_run, LONG_RUN), self._gap),
            "operations_gap": (operations[-3:], self._gap),
        }
        contexts |= {f"actions{k}": recent[-k:] for k in (1, 2, 3)}
        contexts |= {f"operations{k}": operations[-k:] for k in (1, 3, 5, 7)}
        if self.human is not None:
            contexts["human"] = self.human
        return contexts


def _bucket(before: datetime | None, at: datetime) -> int:
    """Number of the bucket of the time between; the last one where there is no `before`."""
    return bisect_left(GAPS_S, (at - before).total_seconds()) if before else len(GAPS_S)
