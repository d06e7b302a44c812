"""A ranker of one sequence: its features, weighed by a mixer that learns from each outcome."""

from collections.abc import Mapping

import numpy as np

from worker.predictors.history.candidate_ids import Ids
from worker.predictors.history.tables import Array, State
from worker.predictors.mixer import Mixer, RankedSymbols
from worker.predictors.person.sequence_features import SequenceFeatures

# Initial weights are alike: weights fitted on other people gained nothing after 30 actions.
START = 0.12
RATE = 0.005
GATE_RATE = 0.003


class SequenceRanker:
    """Ranks what comes next in a sequence; `columns` are those that its owner adds to the sequence's own."""

    def __init__(self, contexts: Mapping[str, float], columns: Mapping[str, float], leaves: bool = False) -> None:
        self.features = SequenceFeatures(contexts, leaves)
        names = (*self.features.columns, *columns)
        self.mixer = Mixer(names, dict.fromkeys(names, START) | {"new": 1.0, **columns}, RATE, GATE_RATE)
        self.ranked: RankedSymbols | None = None  # the ranking that awaits its outcome

    def learn(self, symbol: int, at: float, keys: dict[str, int], begins_session: bool) -> None:
        """Learn the next symbol; if a ranking was made before it, the weights learn from it, too."""
        ranked, self.ranked = self.ranked, None
        if ranked is not None:
            row = ranked.row(symbol)
            row = len(ranked.symbols) if row is None else row
            self.mixer.learn(ranked.features, ranked.probabilities, ranked.gate, row)
            self.features.settle(row)
        self.features.learn(symbol, at, keys, begins_session)

    def rank(self, symbols: Ids, columns: Array, gate: str) -> RankedSymbols:
        """Rank symbols by the sequence's features and its owner's `columns`, whose last row stands for a new one."""
        features = np.hstack([self.features.matrix(symbols), columns])
        self.ranked = ranked = self.mixer.rank(symbols, features, gate)
        return ranked

    def reasons(self, first: int | None, second: int | None) -> dict[str, float]:
        """Return, by column, the nats by which a symbol is ahead of another; none if one of them was not ranked."""
        return self.mixer.reasons(self.ranked, first, second) if self.ranked else {}

    def keep(self, symbols: Ids) -> None:
        """Keep these symbols only, which are renumbered in their order, and no ranking awaits its outcome."""
        self.ranked = None
        self.features.keep(symbols)

    def state(self) -> State:
        """Return everything learned, and what it takes to make the ranking that awaits its outcome again."""
        state = {"features": self.features.state(), "mixer": self.mixer.state()}
        if self.ranked is not None:
            columns = self.ranked.features[:, len(self.features.columns) :]
            state["ranked"] = {"symbols": self.ranked.symbols, "columns": columns, "gate": self.ranked.gate}
        return state

    def restore(self, state: State) -> None:
        """Replace everything learned by a `state`."""
        self.features.restore(state["features"])
        self.mixer.restore(state["mixer"])
        if "ranked" in state:
            self.rank(**state["ranked"])
