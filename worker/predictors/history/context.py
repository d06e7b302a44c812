"""The context of the next action: latest symbols, runs, gaps, the app in front, open apps."""

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from datetime import datetime

from memo.core.bounded import BoundedDict
from memo.core.events import HUMAN, TABS, Action, Event, Operation
from worker.predictors.history.candidate_ids import CandidateIds
from worker.predictors.history.tables import State

GAPS_S = (0, 1, 3, 10, 30, 60, 120, 600, 3_600)  # upper bounds of the buckets of a time between events, in seconds
CHAIN = 7  # actions in the longest chain of operations
LONG_RUN = 6  # longer runs count as this long
MOST_COARSE = 8_192  # coarse forms whose last time is known
MOST_APPS = 500  # apps that are open, and browsers


class Context:
    """A function of the latest events, from which each table takes the context that it is looked up by."""

    def __init__(self, symbols: CandidateIds) -> None:
        self._symbols = symbols
        self.last: int | None = None  # the last symbol
        self._keys: deque[tuple[int, int, int]] = deque(maxlen=CHAIN)  # of the latest symbols, as in `CandidateIds`
        self.run = 0  # times the last action came in a row
        self.coarse_run = 0  # times its coarse form came in a row
        self.human: int | None = None  # the key of the last human action
        self.focus = ""  # the app in front
        self.open: BoundedDict[str, int] = BoundedDict(MOST_APPS)  # starts minus ends of each app, if any
        self._tabs: BoundedDict[str, str] = BoundedDict(MOST_APPS)  # by browser: the tab count that its title names
        self._at: datetime | None = None
        self._coarse_at: BoundedDict[int, datetime] = BoundedDict(MOST_COARSE)
        self._gap = 0  # bucket of the time before the last event
        self._age = 0  # bucket of the time between the last event and the one before of its coarse form

    def advance(self, symbol: int, event: Event) -> None:
        """Move on to an event and its symbol."""
        keys = key, coarse, _ = self._symbols.keys[symbol]
        last_coarse = self._keys[-1][1] if self._keys else None
        self.run = self.run + 1 if symbol == self.last else 1
        self.coarse_run = self.coarse_run + 1 if coarse == last_coarse else 1
        self._gap = _bucket(self._at, event.at) if self._at else 0
        self._age = _bucket(self._coarse_at.get(coarse), event.at)
        self._coarse_at[coarse] = self._at = event.at
        self.last = symbol
        self._keys.append(keys)
        if event.operation in HUMAN:
            self.human = key
        self._note_apps(event)

    def _note_apps(self, event: Event) -> None:
        match event.operation:
            case Operation.WINDOW_FOCUS:
                self.focus = event.app
                tabs = TABS.search(event.target)
                if tabs or event.app in self._tabs:
                    self._tabs[event.app] = tabs[0] if tabs else ""
            case Operation.PROCESS_START:
                self.open[event.target] = self.open.get(event.target, 0) + 1
            case Operation.PROCESS_END if (left := self.open.pop(event.target, 0) - 1) > 0:
                self.open[event.target] = left

    def with_tabs(self, action: Action) -> Action:
        """Return the action with the browser's current tab count in its title."""
        if action.place not in self._tabs:
            return action
        return Action(action.operation, TABS.sub(self._tabs[action.place], action.target), action.place)

    def keys(self) -> Mapping[str, int]:
        """Return the key of the current context of each table, by the table's name; not all have one."""
        if not self._keys:
            return {}
        actions, coarse, operations = zip(*self._keys, strict=True)
        here, last_two = coarse[-1], coarse[-2:]
        keys = {
            "actions1": actions[-1],
            "actions2": hash(actions[-2:]),
            "actions3": hash(actions[-3:]),
            "coarse1": here,
            "lately1": here,
            "lately2": hash(last_two),
            "gap1": hash((here, self._gap)),
            "gap2": hash((last_two, self._gap)),
            "age": hash((here, self._age)),
            "run": hash((here, min(self.coarse_run, LONG_RUN), self._gap)),
            "operations1": operations[-1],
            "operations3": hash(operations[-3:]),
            "operations5": hash(operations[-5:]),
            "operations7": hash(operations),
            "operations_gap": hash((operations[-3:], self._gap)),
        }
        return keys if self.human is None else keys | {"human": self.human}

    def renumber(self, symbols: CandidateIds, numbers: Mapping[int, int]) -> None:
        """Go on with `symbols`; `numbers` are the new ones, by the old ones."""
        self._symbols, self.last = symbols, numbers.get(self.last) if self.last is not None else None

    def state(self) -> State:
        """Return where the context stands."""
        return {
            "last": self.last,
            "keys": [list(keys) for keys in self._keys],
            "runs": [self.run, self.coarse_run],
            "human": self.human,
            "focus": self.focus,
            "open": dict(self.open),
            "tabs": dict(self._tabs),
            "at": self._at and self._at.isoformat(),
            "coarse_at": [[coarse, at.isoformat()] for coarse, at in self._coarse_at.items()],
            "buckets": [self._gap, self._age],
        }

    def restore(self, state: State) -> None:
        """Move to where a `state` stands."""
        self.last, self.human, self.focus = state["last"], state["human"], state["focus"]
        self._keys.extend(map(tuple, state["keys"]))
        self.run, self.coarse_run = state["runs"]
        self.open, self._tabs = BoundedDict(MOST_APPS, state["open"]), BoundedDict(MOST_APPS, state["tabs"])
        self._at = state["at"] and datetime.fromisoformat(state["at"])
        coarse_at = {coarse: datetime.fromisoformat(at) for coarse, at in state["coarse_at"]}
        self._coarse_at = BoundedDict(MOST_COARSE, coarse_at)
        self._gap, self._age = state["buckets"]


def _bucket(before: datetime | None, at: datetime) -> int:
    """Return the bucket of the time between two events; the last bucket if there is no event `before`."""
    return bisect_left(GAPS_S, (at - before).total_seconds()) if before else len(GAPS_S)
