"""Drift: served predictions of the next place that became worse than before, or that a simple rule beats for long."""

import math
from collections.abc import Iterator, Sequence
from itertools import takewhile

from training.evaluation import metrics
from training.evaluation.evaluate import MODEL, compare_ranks
from training.evaluation.person_views import View
from training.evaluation.served import RULES, JudgedAct

LEAST = 200  # acts whose losses are the measure of the later ones
ALLOWED = 0.25  # standard deviations by which a loss may exceed the mean for ever
LIMIT = 20.0  # standard deviations to which larger excesses may add up
LONG = 300  # newest acts, on which no rule may be ahead
CUTS = ("hit@1", "hit@3")
VIEWS: tuple[View, ...] = ("place", "switch")


def find_drift(judged: Sequence[JudgedAct]) -> str:
    """Return why the newest version's predictions became too bad, given its acts, oldest first; "" if they did not."""
    judged = _of_newest_version(judged)
    losses = [metrics.log_loss([one.outcomes["place"].truth]) for one in judged]
    if rises_at := find_rise(losses):
        return f"since {judged[rises_at - 1].act.at:%Y-%m-%d %H:%M} the next place is foreseen worse than before"
    return next(_find_better_rules(judged[-LONG:]), "") if len(judged) >= LONG else ""


def _of_newest_version(judged: Sequence[JudgedAct]) -> list[JudgedAct]:
    newest = takewhile(lambda one: one.act.version == judged[-1].act.version, reversed(judged))
    return list(newest)[::-1]


def find_rise(losses: Sequence[float]) -> int:
    """Return the number, from 1, of the loss at which they have risen for good; 0 if they have not.

    The test of Page and Hinkley: what each loss is above the mean of all before, in standard deviations, less what is
    allowed, adds up, never to less than nothing. Sources: Page 1954; Hinkley 1971.
    """
    mean, squares, excess = 0.0, 0.0, 0.0
    for number, loss in enumerate(losses, 1):
        if number > LEAST:
            deviation = math.sqrt(squares / (number - 1)) or 1.0
            excess = max(0.0, excess + (loss - mean) / deviation - ALLOWED)
            if excess > LIMIT:
                return number
        step = loss - mean
        mean += step / number
        squares += step * (loss - mean)
    return 0


def _find_better_rules(judged: Sequence[JudgedAct]) -> Iterator[str]:
    for view in VIEWS:
        outcomes = [one.outcomes[view] for one in judged if view in one.outcomes]
        for rule in RULES if outcomes else ():
            ahead = compare_ranks([(one.ranks[MODEL], one.ranks[rule]) for one in outcomes])
            for cut in CUTS:
                low, high = ahead[cut]["95"]
                if high < 0:
                    yield f"over the last {len(judged)} actions {cut} of {view} is below that of the rule {rule}"
