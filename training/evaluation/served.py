"""How often the next place was foreseen lately, beside the simplest rule, and whether probabilities came true."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from memo.core.events import Action
from memo.core.predictions import place_from_dict, place_of
from training.evaluation import metrics
from training.evaluation.baselines import Baselines
from training.evaluation.metrics import Key

LEARNED = 100  # oldest acts, from which the rule only learns
FEWEST = 50  # acts that are asked
RULE = "mru"  # the most recent place first


@dataclass(frozen=True, slots=True)
class AskedAct:
    """An act with the prediction that it judged: its places, and the rank of the act's place among them."""

    action: Action
    places: list[dict[str, Any]]
    rank: int | None
    day: date | None = None
    """The local day of the act, where it is asked for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Shares of acts whose place was first, and among the first three; `bins` are those of the calibration."""

    acts: int
    first: float
    three: float
    rule_first: float
    rule_three: float
    bins: list[tuple[float, float, int]]


def compare(acts: Sequence[AskedAct]) -> Comparison | None:
    """Return what the acts tell, in order of time; None if they are too few."""
    asked = list(follow_rule(acts))
    if len(asked) < FEWEST:
        return None
    ranks, rule_ranks = [act.rank for act, _, _ in asked], [rank for _, rank, _ in asked]
    answers = [answer for act, _, here in asked for answer in _first_other(act, here)]
    first, three, rule_first, rule_three = (_share(given, cut) for given in (ranks, rule_ranks) for cut in (1, 3))
    return Comparison(len(ranks), first, three, rule_first, rule_three, metrics.bins(answers))


def follow_rule(acts: Sequence[AskedAct]) -> Iterator[tuple[AskedAct, int | None, Key]]:
    """Yield the acts that are asked, each with the rank that the rule gave to its place, and the place before."""
    rule, here = Baselines(), None
    for number, act in enumerate(acts):
        there = Key(act.action.coarse)
        if number >= LEARNED and here is not None:
            yield act, _rank(there, rule.rank(RULE, here if here != there else None)), here
        rule.learn(there, float(number))
        here = there


def _rank(truth: Key, given: Sequence[Key]) -> int | None:
    return given.index(truth) + 1 if truth in given else None


def _share(ranks: Sequence[int | None], cut: int) -> float:
    return sum(rank is not None and rank <= cut for rank in ranks) / len(ranks)


def _first_other(act: AskedAct, here: Key) -> list[tuple[float, float]]:
    """Return the probability of the likeliest place but the present one, if that was left, and 1 if it came, else 0."""
    now, there = place_of(here.action), place_of(act.action)
    others = [place for place in act.places if place_from_dict(place) != now]
    if now == there or not others:
        return []
    staying = sum(place["probability"] for place in act.places if place_from_dict(place) == now)
    probability = others[0]["probability"] / max(1e-9, 1 - staying)
    return [(min(1.0, probability), float(place_from_dict(others[0]) == there))]
