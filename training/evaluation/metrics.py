"""What an evaluation measures: hits, MRR, exact and partial answers, calibration.

The definitions are those of `memo evaluate` and of any scorer that asks `memo predict --stream` over a pipe.
"""

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from memo.core.events import Action, Event, Operation
from memo.core.predictions import Candidate

CUTS = (1, 3, 5)
MRR_DEPTH = 5
"""A truth further down counts nothing; the baselines give no more candidates."""
BINS = 10
ROUNDS = 1_000
BLOCK = 10
"""Consecutive windows that are drawn together where models are compared."""

_PART_OF_TARGET = frozenset({Operation.APP_USAGE, Operation.TIME_CONTEXT})
"""Operations whose detail is part of what must be right: a usage's seconds, a mark's hour."""


class Key(NamedTuple):
    """What must be right for a hit: operation and target as they stand in the line, its time apart."""

    action: Action
    detail: str = ""

    @property
    def coarse(self) -> "Key":
        """The same at the level of app, domain or folder."""
        return Key(self.action.coarse, self.detail if self.action.operation is Operation.TIME_CONTEXT else "")


def key_of(action: Action, detail: str) -> Key:
    """The key of an action that is written with `detail`."""
    return Key(action, detail if action.operation in _PART_OF_TARGET else "")


def key(event: Event) -> Key:
    """The key of an event."""
    return key_of(event.action, event.detail)


def place(truth: Key, ranking: Sequence[Key]) -> int | None:
    """Place of the truth, from 1, or None where it is not among the candidates."""
    return ranking.index(truth) + 1 if truth in ranking else None


def coarse_ranking(candidates: Iterable[tuple[Key, float]]) -> list[Key]:
    """Coarse keys by falling sum of their candidates' probabilities."""
    total = _coarse_sums(candidates)
    return sorted(total, key=lambda candidate: -total[candidate])


def best_coarse(candidates: Iterable[Candidate]) -> tuple[Key, float]:
    """The first coarse key and the sum of its candidates' probabilities."""
    total = _coarse_sums((key_of(one.action, one.detail), one.probability) for one in candidates)
    return max(total.items(), key=lambda entry: entry[1])


def _coarse_sums(candidates: Iterable[tuple[Key, float]]) -> dict[Key, float]:
    total: defaultdict[Key, float] = defaultdict(float)
    for candidate, probability in candidates:
        total[candidate.coarse] += probability
    return total


def ranked(ranks: Sequence[int | None]) -> dict[str, Any]:
    """n, hit@k, MRR@5, and the bootstrap 95 % interval of hit@1. Raises ValueError where there are no ranks."""
    if not ranks:
        raise ValueError("there is nothing to score")
    total = len(ranks)
    scores: dict[str, Any] = {"n": total}
    for cut in CUTS:
        scores[f"hit@{cut}"] = sum(rank is not None and rank <= cut for rank in ranks) / total
    scores["mrr"] = sum(1 / rank for rank in ranks if rank and rank <= MRR_DEPTH) / total
    scores["hit@1_95"] = list(interval([float(rank == 1) for rank in ranks]))
    return scores


def matched(ranks: Sequence[int | None], exact: Sequence[bool]) -> dict[str, float]:
    """exact: the whole line right; partial: its time wrong; overall: exact + partial / 2."""
    share = sum(exact) / len(ranks)
    partial = sum(rank == 1 and not whole for rank, whole in zip(ranks, exact, strict=True)) / len(ranks)
    return {"exact": share, "partial": partial, "overall": share + partial / 2}


def ece(answers: Iterable[tuple[float, float]]) -> float:
    """Expected calibration error of (probability of the first candidate, whether it was right), equal-mass bins.

    After Guo et al. 2017, with bins of equal mass instead of equal width.
    """
    parts = bins(answers)
    total = sum(size for _, _, size in parts)
    return sum(size / total * abs(said - true) for said, true, size in parts)


def bins(answers: Iterable[tuple[float, float]]) -> list[tuple[float, float, int]]:
    """Mean probability, share that was right and size of each of `BINS` bins of equal mass."""
    rows = sorted(answers)
    edges = [number * len(rows) // BINS for number in range(BINS + 1)]
    parts = [rows[low:high] for low, high in pairwise(edges) if high > low]
    return [
        (sum(said for said, _ in part) / len(part), sum(true for _, true in part) / len(part), len(part))
        for part in parts
    ]


def interval(values: Sequence[float], block: int = 1, rounds: int = ROUNDS) -> tuple[float, float]:
    """Bootstrap 95 % interval of the mean; always the same for the same values.

    With a `block` above 1, so many consecutive values are drawn together, for neighbours are alike: the circular block
    bootstrap (Politis and Romano 1992).
    """
    chance, total = random.Random(0), len(values)
    block = min(block, total)
    ahead = list(accumulate([*values, *values[:block]], initial=0.0))
    sums = [ahead[start + block] - ahead[start] for start in range(total)]
    draws = math.ceil(total / block)
    means = sorted(sum(chance.choices(sums, k=draws)) / (draws * block) for _ in range(rounds))
    return means[int(rounds * 0.025)], means[int(rounds * 0.975)]
