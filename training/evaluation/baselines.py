"""What MEMO must beat: repeat, most recent, most frequent, order-1 Markov, and a PPM-like back-off.

The back-off goes from order 4 down to 1 as in PPM (Cleary and Witten 1984), without escape probabilities: only the
order of the candidates counts. All of them learn from every event as they go.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from training.evaluation.metrics import Key

NAMES = ("repeat", "mru", "mfu", "markov1", "ppm")
DEPTH = 5
"""Candidates that each gives."""
ORDERS = (4, 3, 2, 1)


class Baselines:
    """The counts that all baselines share."""

    def __init__(self) -> None:
        self._past: list[Key] = []
        self._count: Counter[Key] = Counter()
        self._after: defaultdict[tuple[Key, ...], Counter[Key]] = defaultdict(Counter)
        self._recent: dict[Key, None] = {}

    def learn(self, key: Key) -> None:
        """Take in what happened next."""
        for order in ORDERS:
            if len(self._past) >= order:
                self._after[tuple(self._past[-order:])][key] += 1
        self._past = [*self._past[1 - ORDERS[0] :], key]
        self._count[key] += 1
        self._recent.pop(key, None)
        self._recent[key] = None

    def rank(self, name: str) -> list[Key]:
        """The candidates of one baseline, best first, at most `DEPTH`."""
        recent, frequent = list(reversed(self._recent)), [key for key, _ in self._count.most_common()]
        rankings: dict[str, Callable[[], list[Key]]] = {
            "repeat": lambda: self._past[-1:],
            "mru": lambda: recent,
            "mfu": lambda: frequent,
            "markov1": lambda: self._back_off((1,), frequent),
            "ppm": lambda: self._back_off(ORDERS, recent),
        }
        return rankings[name]()[:DEPTH]

    def _back_off(self, orders: Sequence[int], rest: Sequence[Key]) -> list[Key]:
        """What followed the longest contexts first, then the rest; each key once."""
        return list(dict.fromkeys([*self._followers(orders), *rest]))

    def _followers(self, orders: Sequence[int]) -> Iterator[Key]:
        for order in orders:
            if len(self._past) >= order:
                counts = self._after.get(tuple(self._past[-order:]), Counter[Key]())
                yield from (key for key, _ in counts.most_common())
