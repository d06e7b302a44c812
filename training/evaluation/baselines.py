"""The baselines MEMO has to beat: repeat, most recent, most frequent, order-1 Markov, and a PPM-like back-off.

The back-off goes from order 4 down to 1 as in PPM (Cleary and Witten 1984), without escape probabilities: only the
order of the candidates counts. Each baseline learns every event as it comes.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from training.evaluation.metrics import Key

NAMES = ("repeat", "mru", "mfu", "markov1", "ppm")
DEPTH = 5  # candidates of each baseline
ORDERS = (4, 3, 2, 1)


class Baselines:
    """All baselines, on shared counts."""

    def __init__(self) -> None:
        self._past: list[Key] = []
        self._count: Counter[Key] = Counter()
        self._after: defaultdict[tuple[Key, ...], Counter[Key]] = defaultdict(Counter)
        self._recent: dict[Key, None] = {}

    def learn(self, key: Key) -> None:
        """Learn the next event."""
        for order in ORDERS:
            if len(self._past) >= order:
                self._after[tuple(self._past[-order:])][key] += 1
        self._past = [*self._past[1 - ORDERS[0] :], key]
        self._count[key] += 1
        self._recent.pop(key, None)
        self._recent[key] = None

    def rank(self, name: str) -> list[Key]:
        """Return the candidates of one baseline, best first, at most `DEPTH`."""
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
        """Return the followers of the longest contexts first, then the rest, without duplicates."""
        return list(dict.fromkeys([*self._followers(orders), *rest]))

    def _followers(self, orders: Sequence[int]) -> Iterator[Key]:
        for order in orders:
            if len(self._past) >= order:
                counts = self._after.get(tuple(self._past[-order:]), Counter[Key]())
                yield from (key for key, _ in counts.most_common())
