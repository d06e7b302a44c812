"""Features of what may come next in one sequence of symbols, from the sequence's own past."""

from collections.abc import Iterator, Mapping
from itertools import islice, repeat
from typing import NamedTuple

import numpy as np

from worker.predictors.history.candidate_ids import Ids
from worker.predictors.history.tables import UNIT, Array, State, Table
from worker.predictors.learned import Learned
from worker.predictors.person.hit_rates import (
    CellRates,
    RecencyRates,
    ReturnRates,
    age_kinds,
    cells_of,
    rank_kinds,
    time_kinds,
)
from worker.predictors.person.symbol_table import NEW

HALF_LIVES = (3, 30, 100)  # of the faded frequencies, in steps
COLUMNS = (  # of the feature matrix; those of the contexts follow
    "new",
    "recency",
    "recency_after_ranks",
    *(f"frequency_{steps}" for steps in HALF_LIVES),
    "return_by_time",
    "own_return_by_time",
    "return_by_steps",
    "own_return_by_steps",
    "recency_and_successor",
    "is_before_last",
    "in_session",
)
FOLLOWED = "last"  # the context whose successors are candidates
SUCCESSORS = 25  # candidates of those that followed the last symbol most lately
RECENT = 60  # candidates of those that came most lately; the ranks of all others are equal
FREQUENT = 12  # candidates of those that came most often
MOST = 100  # candidates in all
RATE_OF_NEW = 0.03  # weight of each step in the rate of new symbols
LARGEST_UNIT = 1e100  # frequencies in larger units are rewritten in units of 1
FADE = 0.5 ** (1 / np.array(HALF_LIVES))


class Kinds(NamedTuple):
    """The kinds of the candidates of a ranking, in the tables of hit rates."""

    symbols: Ids
    ages: Ids  # by time and by steps, (2, symbols)
    cells: Ids


class SequenceFeatures(Learned):
    """Counts of one sequence, and the feature matrix of the symbols that may come next.

    `contexts` are the tables by name, each with the decay of earlier occurrences. In a sequence that `leaves`, the
    last symbol never comes again at once.
    """

    LEARNED = ("_keys", "_units", "_ranks", "_cells")

    def __init__(self, contexts: Mapping[str, float], leaves: bool = False) -> None:
        self._leaves = leaves
        self._tables = {name: Table(decay) for name, decay in contexts.items()}
        self.columns = (*COLUMNS, *contexts)
        self._keys: dict[str, int] = {}  # the present context of each table
        self._recency: dict[int, None] = {}  # all symbols, that of the last step at the end
        self._last_at, self._last_step = np.zeros((2, 64))
        self._frequencies = np.zeros((len(HALF_LIVES), 64))
        self._units = np.ones(len(HALF_LIVES))
        self._in_session: dict[int, int] = {}
        self.steps = 0
        self.last = self._before_last = NEW
        self._at = 0.0
        self._rate_of_new = 0.05
        self._ranks, self._returns, self._cells = RecencyRates(), ReturnRates(), CellRates()
        self._kinds: Kinds | None = None  # those of the latest ranking

    def learn(self, symbol: int, at: float, keys: dict[str, int], begins_session: bool) -> None:
        """Count the next symbol, which came `at` a time in seconds; `keys` hold the contexts of what follows it."""
        is_new = symbol not in self._recency
        for name, key in self._keys.items():
            self._tables[name].add(key, symbol)
        if self.steps:
            self._ranks.learn(0 if is_new else self._rank(symbol))
        self._rate_of_new += RATE_OF_NEW * (is_new - self._rate_of_new)
        if begins_session:
            self._in_session.clear()
        self._in_session[symbol] = self._in_session.get(symbol, 0) + 1
        self._count(symbol, at)
        self._before_last, self.last = self.last, symbol
        self._at, self._keys = at, {name: keys[name] for name in self._tables}

    def replace_key(self, name: str, key: int) -> None:
        """Replace the present context of a table, if there is one."""
        if name in self._keys:
            self._keys[name] = key

    def _rank(self, symbol: int) -> int:
        """Return the recency rank of a known symbol, from 1; in a sequence that leaves, the last one has none."""
        for rank, known in enumerate(reversed(self._recency), 0 if self._leaves else 1):
            if known == symbol or rank > RECENT:
                break
        return rank

    def _count(self, symbol: int, at: float) -> None:
        self._grow(symbol)
        self.steps += 1
        self._recency.pop(symbol, None)
        self._recency[symbol] = None
        self._last_at[symbol], self._last_step[symbol] = at, self.steps
        self._units /= FADE
        if self._units[0] > LARGEST_UNIT:
            self._frequencies /= self._units[:, None]
            self._units[:] = 1
        self._frequencies[:, symbol] += self._units

    def _grow(self, symbol: int) -> None:
        while symbol >= len(self._last_at):
            self._last_at, self._last_step = (
                np.concatenate([a, np.zeros(len(a))]) for a in (self._last_at, self._last_step)
            )
            self._frequencies = np.hstack([self._frequencies, np.zeros_like(self._frequencies)])

    def candidates(self) -> Ids:
        """Return the symbols worth ranking, without "something new"."""
        followed = self._tables[FOLLOWED].find(self._keys.get(FOLLOWED))
        chosen = dict.fromkeys([*islice(reversed(followed), SUCCESSORS), *self._recent()])
        for symbol in self._frequent(len(chosen) + FREQUENT):
            if len(chosen) < MOST:
                chosen[symbol] = None
        if self._leaves:
            chosen.pop(self.last, None)
        return np.fromiter(chosen, np.int64, len(chosen))

    def _frequent(self, count: int) -> list[int]:
        """Return the symbols that came most often of late, at most `count`."""
        frequencies = self._frequencies[-1, 1 : self._known]
        best = np.argpartition(-frequencies, count)[:count] if count < len(frequencies) else np.arange(len(frequencies))
        found: list[int] = (best[np.argsort(-frequencies[best], kind="stable")] + 1).tolist()
        return found

    @property
    def _known(self) -> int:
        """The number of symbols with a count, `NEW` included: they are numbered in the order in which they came."""
        return len(self._recency) + 1

    def latest(self) -> Iterator[int]:
        """Return the symbols, the one that came last first."""
        return reversed(self._recency)

    def _recent(self) -> list[int]:
        return list(islice(self.latest(), RECENT + self._leaves))

    def matrix(self, symbols: Ids) -> Array:
        """Return the features of candidates, and of "something new" in the last row, (candidates + 1, columns)."""
        columns = np.zeros((len(self.columns), len(symbols) + 1))
        columns[0, -1] = np.log(self._rate_of_new + 0.002)
        self._kinds = None
        if len(symbols):
            self._fill(columns[1:, :-1], symbols)
        return columns.T

    def _fill(self, columns: Array, symbols: Ids) -> None:
        """Fill in the features of candidates: all columns but "new"."""
        names = symbols.tolist()
        by_recency = {symbol: rank for rank, symbol in enumerate(self._recent(), 0 if self._leaves else 1)}
        ranks = rank_kinds(np.array([by_recency.get(symbol, RECENT + 1) for symbol in names]))
        recency, after_ranks = self._ranks.columns(ranks, len(self._recency) - self._leaves)
        shares = self._shares(symbols)
        expected = 0.5 * np.exp(recency) + 0.5 * shares[-1]
        expected = 0.98 * expected / expected.sum() + 0.02 / len(names)
        after, successors = self._after(symbols, expected)
        times, steps = self._at - self._last_at[symbols], self.steps + 1 - self._last_step[symbols]
        self._kinds = kinds = Kinds(
            symbols, np.stack([time_kinds(times), age_kinds(steps)]), cells_of(ranks, successors)
        )
        in_session = [self._in_session.get(symbol, 0) for symbol in names]
        columns[0], columns[1] = recency, after_ranks
        columns[2:5] = np.log(shares)
        columns[5:9] = self._returns.columns(symbols, kinds.ages)
        columns[9] = self._cells.column(kinds.cells)
        columns[10] = symbols == self._before_last
        columns[11] = np.log1p(in_session)
        columns[12:] = after

    def _shares(self, symbols: Ids) -> Array:
        """Return the faded frequencies of candidates as shares of all, (half-lives, candidates)."""
        faded = self._frequencies[:, symbols] / self._units[:, None]
        totals = (1 - FADE**self.steps) / (1 - FADE)
        return (faded + 0.05) / (totals + 0.05 * len(self._recency))[:, None]

    def _after(self, symbols: Ids, expected: Array) -> tuple[Array, Ids]:
        """Return what each context adds to the `expected` shares of candidates, and their kinds of successors here."""
        names = symbols.tolist()
        counts = np.zeros((len(self._tables), len(names)))
        totals, units = np.zeros((len(self._tables), 1)), np.ones((len(self._tables), 1))
        successors = np.zeros(len(names), np.int64)
        for number, name in enumerate(self._tables if self._keys else ()):
            found = self._tables[name].find(self._keys[name])
            unit = found.get(UNIT, 0.0)
            totals[number], units[number] = sum(found.values()) - unit, unit or 1.0
            if found:
                counts[number] = np.fromiter(map(found.get, names, repeat(0.0)), float, len(names))
            if name == FOLLOWED and found:
                successors = np.minimum(3, counts[number]).astype(np.int64)
                successors[symbols == next(reversed(found))] += 4
        return np.log((counts + units * expected) / ((totals + units) * expected)), successors

    def settle(self, row: int) -> None:
        """Count a chance of each candidate of the latest ranking, and a hit of the one in a row, if it is one."""
        kinds, self._kinds = self._kinds, None
        if kinds is not None:
            self._returns.learn(kinds.symbols, kinds.ages, row)
            self._cells.learn(kinds.cells, row)

    def keep(self, symbols: Ids) -> None:
        """Keep these symbols only, which are renumbered in their order; the first is `NEW`."""
        self._grow(int(symbols.max()))
        numbers = {symbol: number for number, symbol in enumerate(symbols.tolist())}
        for table in self._tables.values():
            table.renumber(numbers)
        self._recency = {numbers[symbol]: None for symbol in self._recency if symbol in numbers}
        self._in_session = {numbers[symbol]: n for symbol, n in self._in_session.items() if symbol in numbers}
        self._last_at, self._last_step = self._last_at[symbols], self._last_step[symbols]
        self._frequencies = self._frequencies[:, symbols]
        self.last, self._before_last = (numbers.get(symbol, NEW) for symbol in (self.last, self._before_last))
        self._returns.keep(symbols)
        self._kinds = None

    def state(self) -> State:
        """Return everything counted."""
        known = self._known
        self._grow(known)
        return super().state() | {
            "tables": {name: table.state() for name, table in self._tables.items()},
            "recency": np.array(list(self._recency), np.int32),
            "came": np.stack([self._last_at, self._last_step])[:, :known],
            "frequencies": self._frequencies[:, :known],
            "in_session": [[symbol, n] for symbol, n in self._in_session.items()],
            "numbers": [self.steps, self.last, self._before_last, self._at, self._rate_of_new],
            "returns": self._returns.state(known),
        }

    def restore(self, state: State) -> None:
        """Replace everything counted by that of a `state`."""
        super().restore(state)
        for name, table in self._tables.items():
            table.restore(state["tables"][name])
        self._in_session = dict(state["in_session"])
        self._recency = dict.fromkeys(state["recency"].tolist())
        self._last_at, self._last_step = np.array(state["came"])
        self._frequencies = np.array(state["frequencies"])
        self.steps, self.last, self._before_last, self._at, self._rate_of_new = state["numbers"]
        self._returns.restore(state["returns"])
