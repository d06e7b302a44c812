"""Hazard of each thing that a person may want: its probability of being wanted within the horizon.

A thing is an app that comes to the front or starts, a site or a file; what is in use is left out. The weights of the
evidence are the person's own, learned from what came within the horizon after moments of the past.
"""

from collections import deque
from datetime import datetime
from typing import NamedTuple

import numpy as np

from memo.core.events import Action, Event, Operation
from memo.core.predictions import HORIZON_S, QUIET_S, UPCOMING_OPERATIONS, Upcoming, wanted
from worker.predictors.history.candidate_ids import Ids, as_fields, from_fields
from worker.predictors.history.tables import Array, State
from worker.predictors.person.hit_rates import HorizonRates, time_kinds
from worker.predictors.person.symbol_table import NEW, SymbolTable
from worker.predictors.upcoming.followers import Followers
from worker.predictors.upcoming.logistic_regression import LogisticRegression

FADES = tuple(0.5 ** (1 / half_life) for half_life in (10, 100, 1_000))  # of the frequencies, at each event
START = {  # initial weights, alike over all people; see docs/LOG.md
    "bias": 0.5,
    "frequency_10": 0.1,
    "frequency_100": 0.1,
    "frequency_1000": 0.1,
    "after_one": 0.6,
    "after_two": 0.3,
    "return": 0.0,
    "own_return": 0.0,
    "activity": 0.0,
    "steps": 0.0,
}
EVERY = 64  # events from one moment that is learned from to the next; fewer while there are few
MOST_SEEN = 1_000  # things; of more, the half that came most lately is kept
MOST_CHARACTERS = 200_000  # of their names and titles; of more, the same
MOST_EVENTS = 1_000  # latest events within the horizon
MOST_ROWS = 16_000  # of moments that await their outcome; more would be open only where the clock stands still
MAX_UPCOMING = 200  # things of one answer


class Moment(NamedTuple):
    """What was not in use at a time, and the evidence: it awaits what comes within the horizon."""

    at: float
    symbols: Ids
    features: Array
    kinds: Ids  # of the times since each came


class Hazard:
    """Evidence for each thing, and what it weighs."""

    def __init__(self) -> None:
        self._names = SymbolTable()
        self._details = {NEW: ""}  # latest page title of each thing
        self._characters = 0  # of all titles
        self._last_at, self._last_step = np.zeros((2, 64))
        self._is_app = np.zeros(64, bool)  # that comes to the front
        self._counts = np.zeros((len(FADES), 64))  # faded, as of the last step of each
        self._followers = Followers()
        self._returns = HorizonRates()
        self._regression = LogisticRegression(np.array(list(START.values())))
        self._came = deque[tuple[float, int]](maxlen=MOST_EVENTS)  # times and things
        self._lately = deque[float](maxlen=MOST_EVENTS)  # times within the horizon
        self._moments = deque[Moment]()
        self._step = self._next_moment = 0
        self._front = NEW

    def learn(self, event: Event, weighs: bool = True) -> None:
        """Learn the next event; the weights learn from now and then one, unless `weighs` is False."""
        if event.action.operation not in UPCOMING_OPERATIONS:
            return
        at = event.at.timestamp()
        self._settle(at)
        self._count(event, at)
        is_due = weighs and self._step >= self._next_moment
        if is_due and sum(1 + len(moment.symbols) for moment in self._moments) < MOST_ROWS:
            self._next_moment = self._step + min(EVERY, 1 + self._step // 50)
            self._moments.append(self._moment(at))
        if len(self._names) > MOST_SEEN or self._names.characters + self._characters > MOST_CHARACTERS:
            self._forget_oldest()

    def _count(self, event: Event, at: float) -> None:
        symbol = self._names.add(wanted(event.action))
        if symbol >= len(self._last_at):
            self._grow()
        was_in_use = self._is_used(symbol, at)
        self._step += 1
        steps = self._step - int(self._last_step[symbol])
        self._followers.learn(symbol, self._names.keys[symbol], at, steps, was_in_use)
        for counts, fade in zip(self._counts, FADES, strict=True):
            counts[symbol] = 1 + counts[symbol] * fade**steps
        self._last_at[symbol], self._last_step[symbol] = at, self._step
        self._title(symbol, event.detail if event.operation is Operation.WEB_VISIT else "")
        self._came.append((at, symbol))
        self._lately.append(at)
        if event.operation is Operation.WINDOW_FOCUS:
            self._front, self._is_app[symbol] = symbol, True

    def _is_used(self, symbol: int, at: float) -> bool:
        return symbol == self._front if self._is_app[symbol] else 0 <= at - float(self._last_at[symbol]) <= QUIET_S

    def is_in_use(self, action: Action, now: datetime) -> bool:
        """Return whether what is wanted with an action is in use."""
        symbol = self._names.find(wanted(action))
        return symbol is not None and self._is_used(symbol, now.timestamp())

    def _title(self, symbol: int, title: str) -> None:
        self._characters += len(title) - len(self._details.get(symbol, ""))
        self._details[symbol] = title

    def _grow(self) -> None:
        self._last_at, self._last_step, self._is_app = (
            np.concatenate([a, np.zeros_like(a)]) for a in (self._last_at, self._last_step, self._is_app)
        )
        self._counts = np.hstack([self._counts, np.zeros_like(self._counts)])

    def _settle(self, at: float) -> None:
        """Learn from the moments whose horizon is over."""
        while self._moments and not 0 <= at - self._moments[0].at <= HORIZON_S:
            moment = self._moments.popleft()
            came = {symbol for time, symbol in self._came if moment.at < time <= moment.at + HORIZON_S}
            hits = np.array([symbol in came for symbol in moment.symbols.tolist()], float)
            self._regression.learn(moment.features, hits)
            self._returns.learn(moment.symbols, moment.kinds, hits)
        while self._came and not 0 <= at - self._came[0][0] <= 2 * HORIZON_S:
            self._came.popleft()
        while self._lately and not 0 <= at - self._lately[0] <= HORIZON_S:
            self._lately.popleft()

    def upcoming(self, now: datetime) -> list[Upcoming]:
        """Return at most `MAX_UPCOMING` things, the likeliest first; their probabilities are independent."""
        if not self._step:
            return []
        moment = self._moment(now.timestamp())
        probabilities = self._regression.probabilities(moment.features)
        best = np.argsort(-probabilities, kind="stable")[:MAX_UPCOMING]
        return [
            Upcoming(self._names.names[symbol], probability, self._details[symbol])
            for symbol, probability in zip(moment.symbols[best].tolist(), probabilities[best].tolist(), strict=True)
        ]

    def _moment(self, now: float) -> Moment:
        known = len(self._names)
        age_s = now - self._last_at[:known]
        in_use = np.where(self._is_app[:known], np.arange(known) == self._front, (age_s >= 0) & (age_s <= QUIET_S))
        symbols = np.flatnonzero(~in_use[1:]) + 1
        kinds = time_kinds(now - self._last_at[symbols])
        return Moment(now, symbols, self._features(symbols, kinds, now), kinds)

    def _features(self, symbols: Ids, kinds: Ids, now: float) -> Array:
        """Return the evidence, (symbols, columns of `START`)."""
        returns, own_returns, usual = self._returns.rates(symbols, kinds)
        after_one, after_two = self._followers.shares(symbols, usual)
        steps = self._step - self._last_step[symbols]
        columns = [
            np.ones(len(symbols)),
            *np.log(self._frequencies(symbols, steps)),
            _log_odds(after_one),
            np.log(after_two / after_one),
            _log_odds(returns),
            np.log(own_returns / returns),
            np.full(len(symbols), np.log1p(len(self._lately))),
            np.log1p(steps),
        ]
        return np.column_stack(columns)

    def _frequencies(self, symbols: Ids, steps: Array) -> Array:
        """Return the share of each thing in the faded counts, given the steps since it came, (fades, symbols)."""
        fades = np.array(FADES)[:, None]
        totals = (1 - fades**self._step) / (1 - fades)
        return np.asarray((self._counts[:, symbols] * fades**steps + 0.05) / (totals + 1))

    def _forget_oldest(self) -> None:
        """Keep the half of all things that came most lately; moments of the past are no longer learned from."""
        known = len(self._names)
        latest = np.argsort(-self._last_step[1:known], kind="stable")[: known // 2] + 1
        symbols = np.concatenate([[NEW], np.sort(latest)])
        numbers = {symbol: number for number, symbol in enumerate(symbols.tolist())}
        self._names = self._names.keep(symbols)
        self._details = {number: self._details[symbol] for symbol, number in numbers.items()}
        self._characters = sum(map(len, self._details.values()))
        self._last_at, self._last_step = self._last_at[symbols], self._last_step[symbols]
        self._is_app, self._counts = self._is_app[symbols], self._counts[:, symbols]
        self._returns.keep(symbols)
        self._followers.keep(numbers)
        self._came = deque(((at, numbers[s]) for at, s in self._came if s in numbers), MOST_EVENTS)
        self._front = numbers.get(self._front, NEW)
        self._moments.clear()

    def state(self) -> State:
        """Return everything learned."""
        known = len(self._names)
        return {
            "names": [as_fields(name) for name in self._names.names[1:]],
            "details": [self._details[symbol] for symbol in range(known)],
            "last": np.stack([self._last_at, self._last_step])[:, :known],
            "is_app": self._is_app[:known],
            "counts": self._counts[:, :known],
            "followers": self._followers.state(),
            "returns": self._returns.state(known),
            "regression": self._regression.state(),
            "came": [[at, symbol] for at, symbol in self._came],
            "lately": list(self._lately),
            "numbers": [self._step, self._next_moment, self._front],
            "moments": {str(number): moment._asdict() for number, moment in enumerate(self._moments)},
        }

    def restore(self, state: State) -> None:
        """Replace everything learned by that of a `state`."""
        self._names = SymbolTable(map(from_fields, state["names"]))
        self._details = dict(enumerate(state["details"]))
        self._characters = sum(map(len, state["details"]))
        self._last_at, self._last_step = np.array(state["last"])
        self._is_app = np.array(state["is_app"])
        self._counts = np.array(state["counts"])
        self._followers.restore(state["followers"])
        self._returns.restore(state["returns"])
        self._regression.restore(state["regression"])
        self._came = deque(((at, symbol) for at, symbol in state["came"]), MOST_EVENTS)
        self._lately = deque(state["lately"], MOST_EVENTS)
        self._step, self._next_moment, self._front = state["numbers"]
        self._moments = deque(Moment(**fields) for fields in state["moments"].values())


def _log_odds(p: Array) -> Array:
    p = np.minimum(p, 1 - 1e-3)
    return np.asarray(np.log(p / (1 - p)))
