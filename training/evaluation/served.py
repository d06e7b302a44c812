"""How well served predictions foresaw the place of each act, compared with simple rules on the same acts.

Only the prediction that the person could see before an act is judged by it: in the view `place` as it was, and in the
view `switch`, if the act is in another place, by its other places alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from db.intake import events
from db.models import EventRow, PredictionRow
from memo.core.events import Action, Operation
from memo.core.predictions import NextPlace, Ranking, place_from_dict
from training.evaluation import metrics
from training.evaluation.evaluate import MODEL
from training.evaluation.person_scores import first_answers
from training.evaluation.person_views import Outcome, PersonBaselines, Step, View, answers, judge_answer, key_of
from training.evaluation.person_views import place_of as place_key

LEARNED = 100  # oldest acts, from which the rules only learn
FEWEST = 50  # acts that are asked
RULES = ("mru", "markov1")  # the most recent place first; what followed most often
RULE = RULES[0]  # the one that a person is shown


@dataclass(frozen=True, slots=True)
class ServedAct:
    """An act, when it came in local time, and the places and the version of the newest prediction before it."""

    at: datetime
    action: Action
    places: list[dict[str, Any]]
    version: str


@dataclass(frozen=True, slots=True)
class JudgedAct:
    """A served act with the outcomes of its views: `place`, and `switch` if it is in another place."""

    act: ServedAct
    outcomes: dict[View, Outcome]

    @property
    def shown(self) -> Outcome:
        """What a person looks for: another place, if they went to one."""
        return self.outcomes.get("switch", self.outcomes["place"])


@dataclass(frozen=True, slots=True)
class Comparison:
    """Shares of acts whose place was first, and among the first three; `bins` are those of the calibration."""

    acts: int
    first: float
    three: float
    rule_first: float
    rule_three: float
    bins: list[tuple[float, float, int]]


@dataclass(frozen=True, slots=True)
class DailyShare:
    """Acts of a day, and the shares whose place was first and among three, by each of the names that were asked for."""

    day: date
    acts: int
    shares: list[float]


def read_acts(found: Iterable[tuple[PredictionRow, EventRow]]) -> list[ServedAct]:
    """Return stored acts with their predictions, newest first, as served acts, oldest first."""
    acts = [
        ServedAct(row.local_at, events.as_event(row).action, made.places, made.model_version) for made, row in found
    ]
    return acts[::-1]


def judge(acts: Iterable[ServedAct], names: Sequence[str] = RULES) -> Iterator[JudgedAct]:
    """Yield the acts, oldest first, with their outcomes; the rules named only learn from the first `LEARNED`."""
    rules, here = PersonBaselines(), None
    for number, act in enumerate(acts):
        there = place_key(act.action)
        step = Step(act.at.timestamp(), key_of(act.action), there, there != here)
        if number >= LEARNED and here is not None:
            given = answers(_ranking(act.places), here)
            views: list[View] = ["place", "switch"] if step.arrives else ["place"]
            yield JudgedAct(act, {view: judge_answer(there, given[view], view, rules, names) for view in views})
        rules.learn(step)
        here = there


def _ranking(places: Iterable[dict[str, Any]]) -> Ranking:
    named = [(place_from_dict(place), place["probability"]) for place in places]
    return Ranking(places=[NextPlace(Action(Operation(operation), name), share) for (operation, name), share in named])


def compare(judged: Sequence[JudgedAct]) -> Comparison | None:
    """Return what judged acts tell; None if they are too few."""
    if len(judged) < FEWEST:
        return None
    switches = [one.outcomes["switch"] for one in judged if "switch" in one.outcomes]
    first, three, rule_first, rule_three = shares(judged, MODEL, RULE)
    return Comparison(len(judged), first, three, rule_first, rule_three, metrics.bins(first_answers(switches)))


def shares(judged: Sequence[JudgedAct], *names: str) -> list[float]:
    """Return, by the predictions or rules of these names, the shares of acts whose place was first, and among three."""
    return [
        sum(metrics.is_hit(one.shown.ranks[name], cut) for one in judged) / len(judged)
        for name in names
        for cut in (1, 3)
    ]


def share_by_day(judged: Iterable[JudgedAct], *names: str) -> list[DailyShare]:
    """Return the shares of each day in local time, oldest first."""
    days: dict[date, list[JudgedAct]] = {}
    for one in judged:
        days.setdefault(one.act.at.date(), []).append(one)
    return [DailyShare(day, len(found), shares(found, *names)) for day, found in sorted(days.items())]
