"""Metrics of an evaluation: hits, MRR, exact and partial answers, calibration.

The definitions hold for `memo evaluate` and for any scorer that asks `memo predict --stream` through a pipe.
"""

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from memo.core.events import Action, Event, Operation

CUTS = (1, 3, 5)
MRR_DEPTH = 5  # a truth further down counts 0; baselines give no more candidates
BINS = 10  # in the calibration error
FLOOR = 1e-4  # least probability of a truth in the log-loss
ROUNDS = 1_000  # bootstrap samples
BLOCK = 10  # consecutive windows drawn together when models are compared

_DETAIL_COUNTS = frozenset({Operation.APP_USAGE, Operation.TIME_CONTEXT})
"""Operations whose detail has to be right too: the seconds of a usage, the hour of a time context."""


class Key(NamedTuple):
    """The part of an event line that has to be right for a hit: operation and target, without the time."""

    action: Action
    detail: str = ""

    @property
    def coarse(self) -> "Key":
        """The same at the level of app, domain or folder."""
        return Key(self.action.coarse, self.detail if self.action.operation is Operation.TIME_CONTEXT else "")


def key_of(action: Action, detail: str) -> Key:
    """Return the key of an action with its detail."""
    return Key(action, detail if action.operation in _DETAIL_COUNTS else "")


def key(event: Event) -> Key:
    """Return the key of an event."""
    return key_of(event.action, event.detail)


def rank_of(truth: Key, ranking: Sequence[Key]) -> int | None:
    """Return the rank of the truth, from 1, or None where it is absent."""
    return ranking.index(truth) + 1 if truth in ranking else None


def coarse_ranking(candidates: Iterable[tuple[Key, float]]) -> dict[Key, float]:
    """Return the coarse keys with the total probability of their candidates, highest first."""
    total = sum_by_key((candidate.coarse, probability) for candidate, probability in candidates)
    return dict(sorted(total.items(), key=lambda entry: -entry[1]))


def sum_by_key(candidates: Iterable[tuple[Key, float]]) -> dict[Key, float]:
    """Return the total probability of each key."""
    total = defaultdict[Key, float](float)
    for candidate, probability in candidates:
        total[candidate] += probability
    return dict(total)


def score_ranks(ranks: Sequence[int | None]) -> dict[str, Any]:
    """Return n, hit@k, MRR@5, and the bootstrap 95 % interval of hit@1. Raises ValueError for no ranks."""
    return {**hit_rates(ranks), "hit@1_95": list(interval([float(rank == 1) for rank in ranks]))}


def hit_rates(ranks: Sequence[int | None]) -> dict[str, Any]:
    """Return n, hit@k and MRR@5. Raises ValueError for no ranks."""
    if not ranks:
        raise ValueError("there is nothing to score")
    total = len(ranks)
    scores: dict[str, Any] = {"n": total}
    for cut in CUTS:
        scores[f"hit@{cut}"] = sum(is_hit(rank, cut) for rank in ranks) / total
    scores["mrr"] = sum(1 / rank for rank in ranks if rank and rank <= MRR_DEPTH) / total
    return scores


def is_hit(rank: int | None, cut: int) -> bool:
    """Return whether a rank is among the first `cut`."""
    return rank is not None and rank <= cut


def log_loss(probabilities: Iterable[float]) -> float:
    """Return the mean of -log p of the truths, in nats; a lower p than `FLOOR` counts as that."""
    losses = [-math.log(max(FLOOR, probability)) for probability in probabilities]
    return sum(losses) / len(losses)


def score_exact(ranks: Sequence[int | None], exact: Sequence[bool]) -> dict[str, float]:
    """Return the shares exact (whole line right), partial (only the time wrong), and overall = exact + partial / 2."""
    share = sum(exact) / len(ranks)
    partial = sum(rank == 1 and not whole for rank, whole in zip(ranks, exact, strict=True)) / len(ranks)
    return {"exact": share, "partial": partial, "overall": share + partial / 2}


def ece(answers: Iterable[tuple[float, float]]) -> float:
    """Return the expected calibration error of (probability of the first candidate, 1 if it was right) pairs.

    After Guo et al. 2017, with bins of equal mass instead of equal width.
    """
    parts = bins(answers)
    total = sum(size for _, _, size in parts)
    return sum(size / total * abs(probability - share) for probability, share, size in parts)


def bins(answers: Iterable[tuple[float, float]]) -> list[tuple[float, float, int]]:
    """Return the mean probability, the share that was right and the size of each of `BINS` bins of equal mass."""
    rows = sorted(answers)
    edges = [number * len(rows) // BINS for number in range(BINS + 1)]
    parts = [rows[low:high] for low, high in pairwise(edges) if high > low]
    return [
        (
            sum(probability for probability, _ in part) / len(part),
            sum(right for _, right in part) / len(part),
            len(part),
        )
        for part in parts
    ]


def interval(values: Sequence[float], block: int = 1) -> tuple[float, float]:
    """Return the bootstrap 95 % interval of the mean; deterministic.

    With `block` > 1 that many consecutive values are drawn together, since neighbours are alike: the circular block
    bootstrap (Politis and Romano 1992).
    """
    rng, total = random.Random(0), len(values)
    block = min(block, total)
    totals = list(accumulate([*values, *values[:block]], initial=0.0))
    sums = [totals[start + block] - totals[start] for start in range(total)]
    draws = math.ceil(total / block)
    means = sorted(sum(rng.choices(sums, k=draws)) / (draws * block) for _ in range(ROUNDS))
    return means[int(ROUNDS * 0.025)], means[int(ROUNDS * 0.975)]
