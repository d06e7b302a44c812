"""Features of each candidate, from the person's own history: what came after what, how often and how long ago.

A function of the events learned, in order. It numbers the candidates (the actions seen before, and "something new" of
each kind) and describes each by a row of features, most of them log-probabilities of a simple predictor. The mixer
weighs them.
"""

import math
from collections import Counter
from sys import intern

import numpy as np

from memo.core.events import CONTEXT, FILES, Action, Event, Operation
from worker.predictors.history.candidate_ids import CandidateIds, Ids, as_fields, from_fields
from worker.predictors.history.context import Context
from worker.predictors.history.tables import Array, State, Table

MAX_CANDIDATES = 512  # above this many symbols, half are the most recent ones and half the most frequent
MOST_SYMBOLS = 8_192  # of more, the half that came last is kept
MOST_CHARACTERS = 500_000  # of all that is shown; of more, the same
HALF_LIFE = 40  # half-life of the faded count, in events
LATELY = 0.85  # decay factor applied to recent counts each time their context recurs

ACTION, COARSE, OPERATION = range(3)  # levels: the kinds of number that a table counts
TABLES = {
    **dict.fromkeys(("actions1", "actions2", "actions3", "human"), ACTION),
    **dict.fromkeys(("coarse1", "lately1", "lately2", "gap1", "gap2", "age", "run"), COARSE),
    **dict.fromkeys(("operations1", "operations3", "operations5", "operations7", "operations_gap"), OPERATION),
}
# Features by table: each backs off to the tables named before it and at last to the plain frequency.
CHAINS = {
    "after_actions": ("actions1", "actions2", "actions3"),
    "after_coarse_lately": ("lately1", "lately2"),
    "after_coarse_and_gap": ("coarse1", "gap1", "gap2"),
    "after_coarse_and_age": ("coarse1", "age"),
    "after_coarse_and_run": ("coarse1", "run"),
    "after_operations": ("operations1", "operations3", "operations5", "operations7"),
    "after_operations_and_gap": ("operations1", "operations_gap"),
}
FEATURES = (  # columns of the feature matrix
    "frequency",
    "coarse_frequency",
    *CHAINS,
    "after_human_within_operation",
    "within_coarse",
    "recency_within_operation",
    "repeats",
    "repeats_coarse",
    "open",
    "focus",
    "process_of_focus",
    "same_app",
    "new",
    "new_elsewhere",
)


class HistoryFeatures:
    """The tables of one stream."""

    def __init__(self) -> None:
        self.symbols = CandidateIds()
        self.steps = 0
        self._context = Context(self.symbols)
        self._tables = {name: Table(LATELY if name.startswith("lately") else 1.0) for name in TABLES}
        self._count, self._faded, self._last = np.zeros((3, 64))  # by symbol; faded as of the step in `_last`
        self._frequencies = {COARSE: Counter[int](), OPERATION: Counter[int]()}
        self._shown: dict[int, tuple[Action, str, str]] = {}  # latest action, detail and executable, by symbol
        self._characters = 0  # of all that is shown

    def learn(self, event: Event) -> None:
        """Count the event, unless it is mere context."""
        if event.operation in CONTEXT:
            return
        action = event.action
        symbol, unseen = self.symbols.add(action)
        self._grow()
        self._count_after(symbol, unseen)
        self.steps += 1
        for known in (symbol,) if unseen is None else (symbol, unseen):
            fading = 0.5 ** ((self.steps - 1 - self._last[known]) / HALF_LIFE)
            self._faded[known] = self._faded[known] * fading + 1
            self._count[known] += 1
            self._last[known] = self.steps
        self._context.advance(symbol, event)
        detail = "" if event.operation in FILES else event.detail
        self._show(symbol, (action, detail, event.executable))
        if len(self.symbols) > MOST_SYMBOLS or self._characters > MOST_CHARACTERS:
            self._forget_oldest()

    def _show(self, symbol: int, shown: tuple[Action, str, str]) -> None:
        self._characters += _size(shown) - _size(self._shown.get(symbol))
        self._shown[symbol] = shown

    def _forget_oldest(self) -> None:
        """Keep the symbols that came last, half of the most at most; they are renumbered in their order."""
        # The last action comes first, before the "something new" that came true with it.
        newest = np.lexsort((self.symbols.unseen, -self._last[: len(self.symbols)]))[: MOST_SYMBOLS // 2]
        sizes = np.cumsum([_size(self._shown.get(int(symbol))) for symbol in newest])
        kept = np.sort(newest[: max(1, int((sizes <= MOST_CHARACTERS // 2).sum()))])
        before, self.symbols = self.symbols, self.symbols.keep(kept)
        numbers = {
            ACTION: dict(zip(kept.tolist(), range(len(kept)), strict=True)),
            COARSE: dict(zip(before.coarse[kept].tolist(), self.symbols.coarse.tolist(), strict=True)),
            OPERATION: dict(zip(before.operation[kept].tolist(), self.symbols.operation.tolist(), strict=True)),
        }
        for name, table in self._tables.items():
            table.renumber(numbers[TABLES[name]])
        for level, frequency in self._frequencies.items():
            counts = {numbers[level][number]: n for number, n in frequency.items() if number in numbers[level]}
            self._frequencies[level] = Counter(counts)
        self._count, self._faded, self._last = self._count[kept], self._faded[kept], self._last[kept]
        self._shown = {numbers[ACTION][n]: shown for n, shown in self._shown.items() if n in numbers[ACTION]}
        self._characters = sum(map(_size, self._shown.values()))
        self._context.renumber(self.symbols, numbers[ACTION])

    def _grow(self) -> None:
        while len(self._count) < len(self.symbols):
            self._count, self._faded, self._last = (
                np.concatenate([column, np.zeros(len(column))]) for column in (self._count, self._faded, self._last)
            )

    def _count_after(self, symbol: int, unseen: int | None) -> None:
        """Count the symbol in its contexts; a new action counts as "something new", too."""
        coarse, operation = self.symbols.kinds_of(symbol)
        counted: dict[int, tuple[int, ...]] = {ACTION: (symbol,), COARSE: (coarse,), OPERATION: (operation,)}
        if unseen is not None:
            counted[ACTION] += (unseen,)
            counted[COARSE] = tuple({coarse, self.symbols.kinds_of(unseen)[0]})
        for name, key in self._context.keys().items():
            for number in counted[TABLES[name]]:
                self._tables[name].add(key, number)
        for level, frequency in self._frequencies.items():
            for number in counted[level]:
                frequency[number] += 1

    def as_shown(self, symbol: int) -> tuple[Action, str, str]:
        """Return action, detail and executable as seen last, with the browser's current tab count."""
        action, detail, executable = self._shown[symbol]
        return self._context.with_tabs(action), detail, executable

    @property
    def gate(self) -> str:
        """The gate of the mixer: operation of the last event and its run length, up to 3."""
        if self._context.last is None:
            return ""
        return f"{self.symbols.names[self._context.last].operation}:{min(self._context.run, 3)}"

    def candidates(self) -> Ids:
        """Return the symbols worth ranking."""
        known = len(self.symbols)
        if known <= MAX_CANDIDATES:
            return np.arange(known)
        half = MAX_CANDIDATES // 2
        newest = np.argpartition(-self._last[:known], half)[:half]
        frequent = np.argpartition(-self._count[:known], half)[:half]
        return np.union1d(newest, frequent)

    def features(self, chosen: Ids) -> Array:
        """Return the feature matrix, (candidates, columns); at least one event must have been learned."""
        columns = self._frequency_columns(chosen) | self._recency_columns(chosen) | self._state_columns(chosen)
        return np.stack([columns[name] for name in FEATURES], axis=1)

    def _frequency_columns(self, chosen: Ids) -> dict[str, Array]:
        """Return log p of each level, plain and after each chain of contexts."""
        sizes = {COARSE: self.symbols.kinds[0], OPERATION: self.symbols.kinds[1]}
        counts = {ACTION: self._count[: len(self.symbols)]}
        counts |= {level: _as_array(self._frequencies[level], size) for level, size in sizes.items()}
        plain = {level: (count + 0.5) / (count.sum() + 0.5 * len(count)) for level, count in counts.items()}
        at = {ACTION: chosen, COARSE: self.symbols.coarse[chosen], OPERATION: self.symbols.operation[chosen]}
        keys = self._context.keys()
        columns = {"frequency": plain[ACTION][chosen], "coarse_frequency": plain[COARSE][at[COARSE]]}
        for feature, chain in CHAINS.items():
            level = TABLES[chain[0]]
            p = plain[level]
            for name in chain:
                p = self._tables[name].interpolate(keys[name], p)
            columns[feature] = p[at[level]]
        return {feature: np.log(p) for feature, p in columns.items()}

    def _recency_columns(self, chosen: Ids) -> dict[str, Array]:
        """Return log-shares of counts that fade with the events, and ranks among those of the same operation."""
        known = len(self.symbols)
        faded = self._faded[:known] * 0.5 ** ((self.steps - self._last[:known]) / HALF_LIFE)
        after_human = (faded + 0.01) / (faded.sum() + 0.01 * known)
        if self._context.human is not None:
            after_human = self._tables["human"].interpolate(self._context.human, after_human)
        return {
            "within_coarse": _log_share(faded + 0.05, self.symbols.coarse)[chosen],
            "after_human_within_operation": _log_share(after_human, self.symbols.operation)[chosen],
            "recency_within_operation": -np.log1p(_rank_within(self.symbols.operation[chosen], -self._last[chosen])),
        }

    def _state_columns(self, chosen: Ids) -> dict[str, Array]:
        """Return columns for repeats, open apps, the app in front, and "something new"."""
        symbols, context = self.symbols, self._context
        last = context.last
        same_coarse = symbols.coarse[chosen] == symbols.coarse[last]
        in_front = symbols.app[chosen] == symbols.app_number(context.focus)
        unseen = symbols.unseen[chosen]
        return {
            "repeats": (chosen == last) * math.log1p(context.run),
            "repeats_coarse": same_coarse * math.log1p(context.coarse_run),
            "open": self._log_open()[chosen],
            "focus": in_front * 1.0,
            "process_of_focus": in_front * symbols.process[chosen] * 1.0,
            "same_app": (symbols.app[chosen] == symbols.app[last]) * 1.0,
            "new": unseen * 1.0,
            "new_elsewhere": unseen * symbols.placeless[chosen] * 1.0,
        }

    def _log_open(self) -> Array:
        """Return log1p of the number of open processes that each symbol would end one of."""
        ends = {Action(Operation.PROCESS_END, app): math.log1p(n) for app, n in self._context.open.items()}
        return self.symbols.spread(ends, 0.0)

    def state(self) -> State:
        """Return everything that was counted."""
        return {
            "names": [as_fields(name) for name in self.symbols.names],
            "steps": self.steps,
            "context": self._context.state(),
            "tables": {name: table.state() for name, table in self._tables.items()},
            "counts": np.stack([self._count, self._faded, self._last]),
            "frequencies": [list(self._frequencies[level].items()) for level in (COARSE, OPERATION)],
            "shown": [[symbol, action.target, *texts] for symbol, (action, *texts) in self._shown.items()],
        }

    def restore(self, state: State) -> None:
        """Replace everything that was counted by that of a `state`."""
        self.symbols = CandidateIds(map(from_fields, state["names"]))
        self.steps = state["steps"]
        self._context = Context(self.symbols)
        self._context.restore(state["context"])
        for name, table in self._tables.items():
            table.restore(state["tables"][name])
        self._count, self._faded, self._last = np.array(state["counts"])
        coarse, operation = (Counter(dict(items)) for items in state["frequencies"])
        self._frequencies = {COARSE: coarse, OPERATION: operation}
        for symbol, *texts in state["shown"]:
            name = self.symbols.names[symbol]
            target, detail, executable = map(intern, texts)
            self._show(symbol, (Action(name.operation, target, name.place), detail, executable))


def _size(shown: tuple[Action, str, str] | None) -> int:
    """Return the number of characters."""
    return sum(map(len, (*shown[0], *shown[1:]))) if shown else 0


def _as_array(counts: Counter[int], size: int) -> Array:
    return np.fromiter((counts[number] for number in range(size)), float, size)


def _log_share(weights: Array, groups: Ids) -> Array:
    """Return the log of each weight's share in its group."""
    return np.asarray(np.log(weights / np.bincount(groups, weights=weights)[groups]))


def _rank_within(groups: Ids, order: Array) -> Ids:
    """Return the rank by `order` among those of the same group, from 0."""
    by_group = np.lexsort((order, groups))
    sizes = np.bincount(groups)
    ranks = np.empty(len(groups), dtype=np.int64)
    ranks[by_group] = np.arange(len(groups)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return ranks
