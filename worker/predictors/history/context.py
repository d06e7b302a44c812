"""The context of the next action: latest symbols, runs, gaps, the app in front, open apps."""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Hashable, Mapping
from datetime import datetime

from memo.core.events import HUMAN, TABS, Action, Event, Operation
from worker.predictors.history.candidate_ids import CandidateIds
from worker.predictors.history.tables import State

GAPS_S = (0, 1, 3, 10, 30, 60, 120, 600, 3_600)  # upper bounds of the buckets of a time between events, in seconds
CHAIN = 7  # actions in the longest chain of operations
LONG_RUN = 6  # longer runs count as this long


class Context:
    """A function of the latest events, from which each table takes the context that it is looked up by."""

    def __init__(self, symbols: CandidateIds) -> None:
        self._symbols = symbols
        self.recent, self._coarse, self._operations = (deque[int](maxlen=CHAIN) for _ in range(3))  # newest last
        self.run = 0  # times the last action came in a row
        self.coarse_run = 0  # times its coarse form came in a row
        self.human: int | None = None  # the last human action
        self.focus = ""  # the app in front
        self.open: Counter[str] = Counter()  # starts minus ends of each app
        self._tabs: dict[str, str] = {}  # the tab count that each browser's latest title names
        self._at: datetime | None = None
        self._coarse_at: dict[int, datetime] = {}
        self._gap = 0  # bucket of the time before the last event
        self._age = 0  # bucket of the time between the last event and the one before of its coarse form

    def advance(self, symbol: int, event: Event) -> None:
        """Move on to an event and its symbol."""
        coarse, operation = self._symbols.kinds_of(symbol)
        self.run = self.run + 1 if [symbol] == list(self.recent)[-1:] else 1
        self.coarse_run = self.coarse_run + 1 if [coarse] == list(self._coarse)[-1:] else 1
        self._gap = _bucket(self._at, event.at) if self._at else 0
        self._age = _bucket(self._coarse_at.get(coarse), event.at)
        self._coarse_at[coarse] = self._at = event.at
        self._remember(symbol, coarse, operation)
        if event.operation in HUMAN:
            self.human = symbol
        self._note_apps(event)

    def _remember(self, symbol: int, coarse: int, operation: int) -> None:
        self.recent.append(symbol)
        self._coarse.append(coarse)
        self._operations.append(operation)

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
        """Return the action with the browser's current tab count in its title."""
        if action.place not in self._tabs:
            return action
        return Action(action.operation, TABS.sub(self._tabs[action.place], action.target), action.place)

    def keys(self) -> Mapping[str, Hashable]:
        """Return the current context of each table, by the table's name; tables without one are left out."""
        recent, coarse, operations = map(tuple, (self.recent, list(self._coarse)[-2:], self._operations))
        if not recent:
            return {}
        keys: dict[str, Hashable] = {
            "coarse1": coarse[-1],
            "lately1": coarse[-1],
            "lately2": coarse,
            "gap1": (coarse[-1], self._gap),
            "gap2": (coarse, self._gap),
            "age": (coarse[-1], self._age),
            "run": (coarse[-1], min(self.coarse_run, LONG_RUN), self._gap),
            "operations_gap": (operations[-3:], self._gap),
            "actions1": recent[-1:],
            "actions2": recent[-2:],
            "actions3": recent[-3:],
            "operations1": operations[-1:],
            "operations3": operations[-3:],
            "operations5": operations[-5:],
            "operations7": operations[-7:],
        }
        if self.human is not None:
            keys["human"] = self.human
        return keys

    def state(self) -> State:
        """Return where the context stands."""
        return {
            "recent": list(self.recent),
            "runs": [self.run, self.coarse_run],
            "human": self.human,
            "focus": self.focus,
            "open": dict(self.open),
            "tabs": self._tabs,
            "at": self._at and self._at.isoformat(),
            "coarse_at": [[coarse, at.isoformat()] for coarse, at in self._coarse_at.items()],
            "buckets": [self._gap, self._age],
        }

    def restore(self, state: State) -> None:
        """Move to where a `state` stands."""
        for symbol in state["recent"]:
            self._remember(symbol, *self._symbols.kinds_of(symbol))
        self.run, self.coarse_run = state["runs"]
        self.human, self.focus = state["human"], state["focus"]
        self.open, self._tabs = Counter(state["open"]), state["tabs"]
        self._at = state["at"] and datetime.fromisoformat(state["at"])
        self._coarse_at = {coarse: datetime.fromisoformat(at) for coarse, at in state["coarse_at"]}
        self._gap, self._age = state["buckets"]


def _bucket(before: datetime | None, at: datetime) -> int:
    """Return the bucket of the time between two events; the last bucket if there is no event `before`."""
    return bisect_left(GAPS_S, (at - before).total_seconds()) if before else len(GAPS_S)
