"""The scores of the three views of what a person does next."""

from collections.abc import Sequence
from typing import Any

from training.evaluation import metrics
from training.evaluation.evaluate import MODEL, compare_ranks
from training.evaluation.person_views import NAMES, Outcome, Outcomes

FEWEST = 30  # questions of a view; figures of fewer would be noise


def summarize(outcomes: Outcomes) -> dict[str, dict[str, Any]]:
    """Return the scores of each view as JSON."""
    return {str(view): score(found) for view, found in outcomes.items()}


def score(outcomes: Sequence[Outcome], baselines: Sequence[str] = NAMES) -> dict[str, Any]:
    """Return the scores of model and baselines in one view; of too few questions, only how many there are."""
    if len(outcomes) < FEWEST:
        return {"n": len(outcomes)}
    scores = {name: metrics.hit_rates([one.ranks[name] for one in outcomes]) for name in (MODEL, *baselines)}
    scores[MODEL] |= {
        "log_loss": metrics.log_loss(one.truth for one in outcomes),
        "ece": metrics.ece(first_answers(outcomes)),
    }
    return {"n": len(outcomes), "scores": scores, "ahead": _compare(outcomes, scores)}


def first_answers(outcomes: Sequence[Outcome]) -> list[tuple[float, float]]:
    """Return the probability of each first candidate, and 1 if it was right, else 0."""
    return [(one.first, float(one.ranks[MODEL] == 1)) for one in outcomes if one.first]


def best_baseline(scores: dict[str, dict[str, Any]], metric: str) -> str:
    """Return the baseline with the best metric, known with hindsight, and among equals the one with the highest MRR."""
    return max(scores.keys() - {MODEL}, key=lambda name: (scores[name][metric], scores[name]["mrr"], name))


def _compare(outcomes: Sequence[Outcome], scores: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return at each hit@k which baseline is best, and how far the model is ahead of it."""
    found = {}
    for metric in (f"hit@{cut}" for cut in metrics.CUTS):
        best = best_baseline(scores, metric)
        gains = compare_ranks([(one.ranks[MODEL], one.ranks[best]) for one in outcomes])
        found[metric] = {"baseline": best, **gains[metric]}
    return found
