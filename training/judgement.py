"""Judge versions by how well they predict what a person does next, on the newest events, which trained none of them.

The language model takes part in the ranking of all events alone, so the answers are those of its candidates that a
person does: the three views of `person_views`, of which `place` decides.
"""

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from memo.core.events import HUMAN, Action, Event
from memo.core.predictions import NextAction, NextPlace, Ranking
from memo.core.settings import ModelSettings
from training.apart import used_bytes
from training.evaluation import metrics, person_scores
from training.evaluation.evaluate import MODEL, compare_ranks
from training.evaluation.person_views import (
    NAMES,
    VIEWS,
    Outcome,
    Outcomes,
    PersonBaselines,
    View,
    ask,
    person_steps,
)
from worker.predictors.mixed import MixedPredictor

RANKED = 1_500  # newest events that are ranked; those before are only counted, which takes a tenth of the time
CANDIDATES = 200  # of each ranking, most of which are process noise
FLOORS = ("hit@1", "hit@3")  # metrics in which a candidate must not be worse than history alone or a baseline
ECE_MARGIN = 0.05  # by which the calibration error may grow
LONGEST_S = 0.25  # median time of an answer; the worker waits no longer for the language model
CANDIDATE, ACTIVE, HISTORY = "candidate", "active", "history"  # rows of the table
RULE = (
    "promoted if its log-loss of the next place, on the newest actions, which trained neither version, is lower than "
    "that of the active version by more than the 95 % interval of the paired block bootstrap, and if in no view hit@1 "
    f"or hit@3 is below history alone or a baseline by more than that, ECE grows by at most {ECE_MARGIN}, and the "
    f"median answer takes at most {LONGEST_S} s"
)


class AnswerCost(NamedTuple):
    """What answers cost."""

    seconds: float
    """The median time of an answer."""
    memory: int = 0
    """Bytes of the answering process."""


class PersonAnswers(NamedTuple):
    """How a predictor answered the questions of each view."""

    outcomes: Outcomes
    cost: AnswerCost


class ServingPredictor:
    """A predictor as the worker drives it: it ranks after each event, and its weights learn from what follows."""

    def __init__(self, predictor: MixedPredictor, counted: int) -> None:
        self._predictor, self._counted, self._learned = predictor, counted, 0
        self._ranking = Ranking()
        self.seconds: list[float] = []
        """Duration of each ranking."""

    def learn(self, event: Event) -> None:
        """Learn the next event; the first `counted` ones are only counted."""
        self._learned += 1
        ranks = self._learned > self._counted
        self._predictor.learn(event, ranks)
        if ranks:
            began = time.perf_counter()
            self._ranking = self._predictor.predict([event], CANDIDATES)
            self.seconds.append(time.perf_counter() - began)

    def predict(self, _window: Sequence[Event], _top: int) -> Ranking:
        """Return what a person does next by the latest ranking."""
        return _only_person(self._ranking)


def _only_person(ranking: Ranking) -> Ranking:
    """Return the known actions of a person among the candidates, as likely as if one of them came next."""
    human = [one for one in ranking.candidates if one.action.operation in HUMAN]
    total = sum(one.probability for one in human)
    places = defaultdict[Action, float](float)
    for one in human:
        places[one.action.coarse] += one.probability / total
    return Ranking(
        person=[NextAction(one.action, one.probability / total) for one in human],
        places=[NextPlace(*entry) for entry in sorted(places.items(), key=lambda entry: -entry[1])],
    )


def answer(predictor: MixedPredictor, events: Sequence[Event], first: int) -> PersonAnswers:
    """Return a predictor's answers after each of the person's actions from number `first` on."""
    serving = ServingPredictor(predictor, len(events) - RANKED)
    return PersonAnswers(
        ask(serving, events, 1, lambda _done, _total: None, first), AnswerCost(median(serving.seconds))
    )


def measure_version(
    settings: ModelSettings, version: str, folder: Path | None, events: Sequence[Event], first: int
) -> PersonAnswers:
    """Return the answers of a version that has learned nothing before, and its memory, in a process that has no other.

    Raises MemoError if it can't be loaded.
    """
    from worker.predictors.serving import open_predictor

    before = used_bytes()
    predictor = open_predictor(settings, version, folder)
    found = answer(predictor, events, first)
    return found._replace(cost=found.cost._replace(memory=used_bytes() - before))


def measure_rules(events: Sequence[Event], first: int) -> dict[str, AnswerCost]:
    """Return what each baseline takes to answer where a person goes next; the memory is that of all together."""
    before, baselines, seconds = used_bytes(), PersonBaselines(), defaultdict[str, list[float]](list)
    for number, step in enumerate(person_steps(events)):
        baselines.learn(step)
        for name in NAMES if number >= first else ():
            began = time.perf_counter()
            baselines.rank(name, "place")
            seconds[name].append(time.perf_counter() - began)
    memory = used_bytes() - before
    return {name: AnswerCost(median(times), memory) for name, times in seconds.items()}


def judge(
    candidate: PersonAnswers,
    active: PersonAnswers,
    history: PersonAnswers,
    replaced: str,
    rules: Mapping[str, AnswerCost],
) -> dict[str, Any]:
    """Return whether a candidate is promoted, why, and the table of it, of the version `replaced`, and of the rest.

    All three answered the same questions; `history` is the predictor without a language model. `rules` is what the
    baselines cost.
    """
    rows = {CANDIDATE: candidate, ACTIVE: active, HISTORY: history}
    lead = measure_lead(candidate, active)
    low, _ = lead["95"]
    reason = f"its log-loss of the next place is {_write_lead(lead, f'that of {replaced}')}"
    table = {str(view): _score({name: row.outcomes[view] for name, row in rows.items()}) for view in VIEWS}
    costs = {name: row.cost for name, row in rows.items()} | dict(rules)
    missed = next(_find_missed_floors(rows, table), "") if low > 0 else f"{reason}, so a gain is not certain"
    return {
        "rule": RULE,
        "promoted": not missed,
        "reason": f"Rejected: {missed}." if missed else f"Promoted: {reason}.",
        "against": replaced,
        "ahead": lead,
        "table": table | _score_operations(rows),
        "latency_ms": {name: round(1e3 * cost.seconds, 3) for name, cost in costs.items()},
        "memory_mb": {name: round(cost.memory / 1e6, 1) for name, cost in costs.items()},
    }


def measure_lead(candidate: PersonAnswers, other: PersonAnswers) -> dict[str, Any]:
    """Return by how much log-loss of the next place is lower than another's on the same questions, as JSON."""
    gains = [before - after for before, after in zip(_losses(other), _losses(candidate), strict=True)]
    return {"n": len(gains), "log_loss": sum(gains) / len(gains), "95": list(metrics.interval(gains, metrics.BLOCK))}


def _write_lead(lead: Mapping[str, Any], other: str) -> str:
    """Return in words by how much log-loss is lower, or higher, than another's; the interval is of the difference."""
    gain, (low, high) = lead["log_loss"], lead["95"]
    return f"{abs(gain):.3f} nats {'higher' if gain < 0 else 'lower'} than {other} (95 %: {-high:+.3f} to {-low:+.3f})"


def describe_live(live: Mapping[str, Any]) -> str:
    """Return in words how a version that serves did compared with the one before it."""
    than = _write_lead(live, f"{live['against']} would have had")
    return f"in {live['n']} actions since it serves, its log-loss of the next place was {than}"


def _losses(answers: PersonAnswers) -> list[float]:
    return [-math.log(max(metrics.FLOOR, one.truth)) for one in answers.outcomes["place"]]


def _score_operations(rows: Mapping[str, PersonAnswers]) -> dict[str, Any]:
    """Return the scores of `fine` by operation of what came."""
    fine = {name: row.outcomes["fine"] for name, row in rows.items()}
    return {
        f"fine, {operation}": _score(
            {name: [one for one in own if one.operation == operation] for name, own in fine.items()}
        )
        for operation in sorted({one.operation for one in fine[CANDIDATE]})
    }


def _score(answered: Mapping[str, Sequence[Outcome]]) -> dict[str, Any]:
    """Return the scores of each row on the same questions, and of the baselines; of too few only their number."""
    scored = {name: person_scores.score(outcomes) for name, outcomes in answered.items()}
    first = scored[CANDIDATE]
    if "scores" not in first:
        return first
    baselines = {name: scores for name, scores in first["scores"].items() if name != MODEL}
    return {name: found["scores"][MODEL] for name, found in scored.items()} | baselines


def _find_missed_floors(rows: Mapping[str, PersonAnswers], table: Mapping[str, Any]) -> Iterator[str]:
    """Yield in what a candidate is below one of its floors, in words."""
    for view in (view for view in VIEWS if CANDIDATE in table[view]):
        yield from _find_lost_hits(view, rows)
        error, before = (table[view][name]["ece"] for name in (CANDIDATE, ACTIVE))
        if error > before + ECE_MARGIN:
            yield f"its calibration error of {view} is {error:.3f}, more than {ECE_MARGIN} above {before:.3f} before"
    if (seconds := rows[CANDIDATE].cost.seconds) > LONGEST_S:
        yield f"its answers take {seconds:.2f} s, more than the limit of {LONGEST_S} s"


def _find_lost_hits(view: View, rows: Mapping[str, PersonAnswers]) -> Iterator[str]:
    outcomes = rows[CANDIDATE].outcomes[view]
    others = {name: [one.ranks[name] for one in outcomes] for name in NAMES}
    others[HISTORY] = [one.ranks[MODEL] for one in rows[HISTORY].outcomes[view]]
    for name, ranks in others.items():
        ahead = compare_ranks([(one.ranks[MODEL], rank) for one, rank in zip(outcomes, ranks, strict=True)])
        for metric in FLOORS:
            low, high = ahead[metric]["95"]
            if high < 0:
                yield f"its {metric} of {view} is below that of {name} (95 %: {low:+.3f} to {high:+.3f})"
