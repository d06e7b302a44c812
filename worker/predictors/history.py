"""Count tables over a person's own stream: what came after what, how often, how long ago.

A function of the events learned, in their order. It names the candidates (actions seen before) and describes
each by a row of features, most of them log-probabilities of a simple predictor; the mixer weighs them.
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from memo.events import CONTEXT, Action, Event, Operation

Array = npt.NDArray[np.float64]

ORDERS = 5
MAX_CANDIDATES = 512
"""Above this many known actions, half are the most recent ones and half the most frequent."""
HALF_LIFE = 40
"""Of the decayed count, in events."""
CHAIN = 3
"""Order of the coarse chain (operation and app, domain or folder)."""

FEATURES = (
    *(f"order{k}" for k in range(ORDERS + 1)),
    "decayed",
    "recency_rank",
    "coarse_chain",
    "within_coarse",
    "repeat",
    "open",
    "last_rank_1",
    "last_rank_2",
    "last_rank_3",
)
"""Columns of the feature matrix."""


@dataclass(slots=True)
class Table:
    """How often each symbol came after each context, and in all."""

    after: defaultdict[Hashable, Counter[int]]
    total: Counter[Hashable]

    @classmethod
    def empty(cls) -> "Table":
        """Nothing counted yet."""
        return cls(defaultdict(Counter), Counter())

    def add(self, context: Hashable, symbol: int) -> None:
        """Count one more."""
        self.after[context][symbol] += 1
        self.total[context] += 1

    def interpolate(self, context: Hashable, lower: Array) -> Array:
        """p(symbol | context), Witten-Bell interpolated with the lower order, over all symbols."""
        found = self.after.get(context)
        if not found:
            return lower
        total, kinds = self.total[context], len(found)
        p = lower * (kinds / (total + kinds))
        p[np.fromiter(found.keys(), int, kinds)] += np.fromiter(found.values(), float, kinds) / (total + kinds)
        return p


class History:
    """The tables of one stream."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.details: list[tuple[str, str]] = []
        """Latest detail and executable of each action."""
        self.index: dict[Action, int] = {}
        self.coarse: list[int] = []
        self._coarse_index: dict[Action, int] = {}
        self._count = np.zeros(64)
        self._decayed = np.zeros(64)
        """As of the step in `_last`; see `_decay`."""
        self._last = np.zeros(64)
        self._open: Counter[str] = Counter()
        """Starts less ends of each app."""
        self.steps = 0
        self.run = 0
        """How often the last action came in a row."""
        self.recent: deque[int] = deque(maxlen=ORDERS)
        self._chain: deque[int] = deque(maxlen=CHAIN)
        self._orders = [Table.empty() for _ in range(ORDERS)]
        self._chains = [Table.empty() for _ in range(CHAIN)]
        self._coarse_count: Counter[int] = Counter()

    def learn(self, event: Event) -> None:
        """Count the event; marks of context are passed over."""
        if event.operation in CONTEXT:
            return
        action = event.action
        symbol = self._symbol(action)
        self.details[symbol] = (event.detail if event.operation is not Operation.FILE_ACCESS else "", event.executable)
        self._count_after(symbol)
        self.run = self.run + 1 if self.recent and self.recent[-1] == symbol else 1
        self._decayed[symbol] = self._decayed[symbol] * 0.5 ** ((self.steps - self._last[symbol]) / HALF_LIFE) + 1
        self._count[symbol] += 1
        self.steps += 1
        self._last[symbol] = self.steps
        self.recent.append(symbol)
        self._chain.append(self.coarse[symbol])
        self._note_balance(action)

    def _count_after(self, symbol: int) -> None:
        recent, chain = tuple(self.recent), tuple(self._chain)
        for order in range(1, len(recent) + 1):
            self._orders[order - 1].add(recent[-order:], symbol)
        coarse = self.coarse[symbol]
        for order in range(1, len(chain) + 1):
            self._chains[order - 1].add(chain[-order:], coarse)
        self._coarse_count[coarse] += 1

    def _symbol(self, action: Action) -> int:
        if action in self.index:
            return self.index[action]
        symbol = self.index[action] = len(self.actions)
        self.actions.append(action)
        self.details.append(("", ""))
        self.coarse.append(self._coarse_index.setdefault(action.coarse, len(self._coarse_index)))
        if symbol >= len(self._count):
            for name in ("_count", "_decayed", "_last"):
                setattr(self, name, np.concatenate([getattr(self, name), np.zeros(symbol)]))
        return symbol

    def _open_of(self, action: Action) -> float:
        """How many of the app are open, where the action would end one; log1p."""
        return math.log1p(self._open[action.target]) if action.operation is Operation.PROCESS_END else 0.0

    def _note_balance(self, action: Action) -> None:
        step = {Operation.PROCESS_START: 1, Operation.PROCESS_END: -1}.get(action.operation)
        if step is not None:
            self._open[action.target] = max(0, self._open[action.target] + step)

    @property
    def known(self) -> int:
        """How many different actions were seen."""
        return len(self.actions)

    def candidates(self) -> npt.NDArray[np.int64]:
        """Symbols worth ranking."""
        if self.known <= MAX_CANDIDATES:
            return np.arange(self.known)
        half = MAX_CANDIDATES // 2
        newest = np.argpartition(-self._last[: self.known], half)[:half]
        frequent = np.argpartition(-self._count[: self.known], half)[:half]
        return np.union1d(newest, frequent)

    def features(self, chosen: npt.NDArray[np.int64]) -> Array:
        """The feature matrix, float64, (candidates, len(FEATURES))."""
        known, recent = self.known, tuple(self.recent)
        count, last = self._count[:known], self._last[:known]
        p = (count + 0.5) / (count.sum() + 0.5 * known)
        columns = [np.log(p[chosen])]
        for order in range(1, ORDERS + 1):
            if order <= len(recent):
                p = self._orders[order - 1].interpolate(recent[-order:], p)
            columns.append(np.log(p[chosen]))
        decayed = self._decayed[:known] * 0.5 ** ((self.steps - last) / HALF_LIFE)
        columns.append(np.log((decayed[chosen] + 0.01) / (decayed.sum() + 0.01 * known)))
        age = self.steps - last[chosen]
        columns.append(-np.log1p(np.argsort(np.argsort(age, kind="stable"), kind="stable")))
        columns += self._coarse_columns(chosen)
        columns.append((chosen == recent[-1]) * math.log1p(self.run) if recent else np.zeros(len(chosen)))
        columns.append(np.array([self._open_of(self.actions[symbol]) for symbol in chosen]))
        columns += [(age == back) * 1.0 for back in (1, 2, 3)]
        return np.stack(columns, axis=1)

    def _coarse_columns(self, chosen: npt.NDArray[np.int64]) -> list[Array]:
        """log p(app, domain or folder | chain) and log p(action | that, last action)."""
        kinds, chain = len(self._coarse_index), tuple(self._chain)
        count = np.fromiter((self._coarse_count[k] for k in range(kinds)), float, kinds)
        p = (count + 0.5) / (count.sum() + 0.5 * kinds)
        for order in range(1, len(chain) + 1):
            p = self._chains[order - 1].interpolate(chain[-order:], p)
        groups = np.asarray(self.coarse)[chosen]
        weight = self._decayed[chosen] * 0.5 ** ((self.steps - self._last[chosen]) / HALF_LIFE) + 0.05
        share = weight / np.bincount(groups, weights=weight, minlength=kinds)[groups]
        return [np.log(p[groups]), np.log(share)]

    @property
    def gate(self) -> str:
        """Which of the mixer's weights are in force: operation of the last event and its run length, up to 3."""
        if not self.recent:
            return ""
        return f"{self.actions[self.recent[-1]].operation}:{min(self.run, 3)}"


class Novelty:
    """How often something came that was not seen before, after each operation; decayed."""

    DECAY = 0.98

    def __init__(self) -> None:
        self._new: defaultdict[str, float] = defaultdict(lambda: 1.0)
        self._all: defaultdict[str, float] = defaultdict(lambda: 2.0)

    def learn(self, gate: str, new: bool) -> None:
        """Note whether what came after `gate` was new."""
        self._new[gate] = self._new[gate] * self.DECAY + new
        self._all[gate] = self._all[gate] * self.DECAY + 1

    def probability(self, gate: str) -> float:
        """p(new | gate)."""
        return self._new[gate] / self._all[gate]


class Gaps:
    """When the next action comes: the most frequent gap of the pair, backing off to ever coarser pairs."""

    MAX_GAP_S = 86_400

    def __init__(self) -> None:
        self._gaps: defaultdict[Hashable, Counter[int]] = defaultdict(Counter)
        self._last: tuple[Action, datetime] | None = None

    def learn(self, event: Event) -> None:
        """Count the gap since the event before."""
        if event.operation in CONTEXT:
            return
        if self._last is not None:
            gap = round((event.at - self._last[1]).total_seconds())
            if 0 <= gap <= self.MAX_GAP_S:
                for pair in _pairs(self._last[0], event.action):
                    self._gaps[pair][gap] += 1
        self._last = (event.action, event.at)

    def expected_s(self, action: Action) -> int:
        """Seconds from the last event to `action`."""
        if self._last is not None:
            for pair in _pairs(self._last[0], action):
                if counts := self._gaps.get(pair):
                    return counts.most_common(1)[0][0]
        return 0


def _pairs(last: Action, following: Action) -> Sequence[Hashable]:
    return (
        (last, following),
        (last.operation, last.coarse, following),
        (last.operation, following),
        (last.operation, following.operation),
    )
