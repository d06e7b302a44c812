"""The baselines MEMO has to beat: repeat, most recent, most frequent, order-1 Markov, a PPM-like back-off, frecency.

The back-off goes from order 4 down to 1 as in PPM (Cleary and Witten 1984), without escape probabilities: only the
order of the candidates counts. Frecency is how launchers and directory jumpers rank today, here with the factors of
zoxide but without its ageing, which begins at 10,000 visits. Each baseline learns every event as it comes.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from heapq import nlargest
from itertools import islice

from training.evaluation.metrics import Key

NAMES = ("repeat", "mru", "mfu", "markov1", "ppm")
DEPTH = 5  # candidates of each baseline
SEARCHED = 2 * DEPTH + 1  # enough of one order to fill `DEPTH` after another order, with one key left out
ORDERS = (4, 3, 2, 1)
FRECENCY = ((3_600, 4.0), (86_400, 2.0), (604_800, 0.5))  # factors of a count whose last time is less than seconds ago
OLDER = 0.25  # the factor of all others


class Baselines:
    """All baselines, on shared counts."""

    def __init__(self) -> None:
        self._past: list[Key] = []
        self._count: Counter[Key] = Counter()
        self._after: defaultdict[tuple[Key, ...], Counter[Key]] = defaultdict(Counter)
        self._last: dict[Key, float] = {}  # when each key came last; the latest is at the end

    def learn(self, key: Key, at: float) -> None:
        """Learn the next event, `at` seconds since the epoch."""
        for order in ORDERS:
            if len(self._past) >= order:
                self._after[tuple(self._past[-order:])][key] += 1
        self._past = [*self._past[1 - ORDERS[0] :], key]
        self._count[key] += 1
        self._last.pop(key, None)
        self._last[key] = at

    def rank(self, name: str, without: Key | None = None) -> list[Key]:
        """Return the candidates of one baseline except `without`, best first, at most `DEPTH`."""
        rankings: dict[str, Callable[[], list[Key]]] = {
            "repeat": lambda: self._past[-1:],
            "mru": self._recent,
            "mfu": self._frequent,
            "markov1": lambda: self._back_off((1,), self._frequent()),
            "ppm": lambda: self._back_off(ORDERS, self._recent()),
            "frecency": self._frecent,
        }
        return [key for key in rankings[name]() if key != without][:DEPTH]

    def _recent(self) -> list[Key]:
        return list(islice(reversed(self._last), SEARCHED))

    def _frequent(self) -> list[Key]:
        return [key for key, _ in self._count.most_common(SEARCHED)]

    def _frecent(self) -> list[Key]:
        """Return the keys with the highest frecency now, the more recent first among equals."""
        now = next(reversed(self._last.values()), 0.0)
        return nlargest(SEARCHED, reversed(self._last), lambda key: frecency(self._count[key], now - self._last[key]))

    def _back_off(self, orders: Sequence[int], rest: Sequence[Key]) -> list[Key]:
        """Return the followers of the longest contexts first, then the rest, without duplicates."""
        return list(dict.fromkeys([*self._followers(orders), *rest]))

    def _followers(self, orders: Sequence[int]) -> Iterator[Key]:
        for order in orders:
            if len(self._past) >= order:
                counts = self._after.get(tuple(self._past[-order:]), Counter[Key]())
                yield from (key for key, _ in counts.most_common())


def frecency(count: int, age_s: float) -> float:
    """Return the score of what came `count` times, the last time `age_s` seconds ago."""
    return count * next((factor for limit, factor in FRECENCY if age_s < limit), OLDER)
