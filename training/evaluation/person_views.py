"""Three views of what a person does next, asked once after each of their actions.

`fine` is the next human action, and `place` its app, site or folder, if it comes within half an hour. `switch` is the
next other place within an hour, however long the person stays in this one: what a launcher has to know. It is asked on
arrival in a place, which is left out of the answer.

The first part of the actions is past; of the others, each is asked before it is learned. The language model has no
part in these answers, so nothing is trained.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Literal, NamedTuple

from memo.core.events import HUMAN, TABS, Action, Event, Operation
from memo.core.predictions import Ranking
from memo.core.steps import Progress
from memo.protocols import Predictor
from training.evaluation.baselines import Baselines
from training.evaluation.evaluate import MODEL, TOP
from training.evaluation.metrics import Key, rank_of, sum_by_key

View = Literal["fine", "place", "switch"]
VIEWS: tuple[View, ...] = ("fine", "place", "switch")
NAMES = ("mru", "mfu", "markov1", "ppm", "frecency")  # the baselines
PAST_SHARE = 0.6  # of the human actions, before the first question
MOST_ASKED = 1_500  # latest human actions
NEXT_S = 1_800  # longest time to the next human action
SWITCH_S = 3_600  # longest time to the next other place
# counts of tabs and of unread messages, and characters that nobody sees
COUNTS = re.compile(TABS.pattern + r"|^\(\d+\+?\) |[\u200b-\u200f\u2060\ufeff]")


class Step(NamedTuple):
    """A human action: when it came (seconds since the epoch), its key, its place, and whether that is another one."""

    at: float
    key: Key
    place: Key
    arrives: bool


class Outcome(NamedTuple):
    """An answer to one question in one view, and how the baselines answered."""

    ranks: dict[str, int | None]  # of the truth, by name of the model or baseline
    first: float  # the model's probability of its first candidate; 0 without one
    truth: float  # the model's probability of the truth
    operation: Operation = Operation.WINDOW_FOCUS  # that of the truth


Outcomes = dict[View, list[Outcome]]


def key_of(action: Action) -> Key:
    """Return the key of a human action, its title without counts; it does not depend on what the predictor equates."""
    return Key(Action(action.operation, COUNTS.sub("", action.target).strip(), action.place.strip()))


def place_of(action: Action) -> Key:
    """Return the key of the app, site or folder of a human action."""
    key = key_of(action).action
    return Key(Action(key.operation, "", key.place or key.target))


def person_steps(events: Sequence[Event]) -> Iterator[Step]:
    """Yield the human actions among the events."""
    here = None
    for event in events:
        if event.operation in HUMAN:
            place = place_of(event.action)
            yield Step(event.at.timestamp(), key_of(event.action), place, place != here)
            here = place


def first_question(actions: int) -> int:
    """Return the number of the action after which the first question is asked."""
    return max(int(actions * PAST_SHARE), actions - MOST_ASKED - 1)


def truths(steps: Sequence[Step], number: int) -> dict[View, Key]:
    """Return what came after an action in each view that has a truth."""
    now, later = steps[number], (steps[following] for following in range(number + 1, len(steps)))
    found: dict[View, Key] = {}
    if number + 1 < len(steps) and 0 <= steps[number + 1].at - now.at <= NEXT_S:
        found |= {"fine": steps[number + 1].key, "place": steps[number + 1].place}
    if now.arrives:
        in_time = takewhile(lambda step: step.at - now.at <= SWITCH_S, later)
        other = next((step.place for step in in_time if step.place != now.place), None)
        found |= {"switch": other} if other is not None else {}
    return found


def answers(ranking: Ranking, here: Key) -> dict[View, dict[Key, float]]:
    """Return the model's candidates with their probabilities, best first, where the person is in the place `here`."""
    places = sum_by_key((place_of(one.place), one.probability) for one in ranking.places)
    leaves = max(1e-9, 1 - places.get(here, 0.0))
    return {
        "fine": sum_by_key((key_of(one.action), one.probability) for one in ranking.person),
        "place": places,
        "switch": {place: probability / leaves for place, probability in places.items() if place != here},
    }


class PersonBaselines:
    """The baselines, separately for each view."""

    def __init__(self) -> None:
        self._views = {view: Baselines() for view in VIEWS}
        self._here: Key | None = None

    def learn(self, step: Step) -> None:
        """Learn the next human action."""
        self._here = step.place
        self._views["fine"].learn(step.key, step.at)
        self._views["place"].learn(step.place, step.at)
        if step.arrives:
            self._views["switch"].learn(step.place, step.at)

    def rank(self, name: str, view: View) -> list[Key]:
        """Return the candidates of one baseline in one view."""
        return self._views[view].rank(name, self._here if view == "switch" else None)


def ask(
    predictor: Predictor, events: Sequence[Event], size: int, progress: Progress, first: int | None = None
) -> Outcomes:
    """Ask a predictor and the baselines what comes next, with windows of `size` events.

    The first question follows the action number `first`, or that of `first_question`.
    """
    steps, number = list(person_steps(events)), -1
    first = first_question(len(steps)) if first is None else first
    baselines, outcomes = PersonBaselines(), Outcomes({view: [] for view in VIEWS})
    for end, event in enumerate(events, 1):
        predictor.learn(event)
        if event.operation in HUMAN:
            number += 1
            baselines.learn(steps[number])
            if number >= first and (truth := truths(steps, number)):
                ranking = predictor.predict(events[max(0, end - size) : end], TOP)
                given = answers(ranking, steps[number].place)
                for view, came in truth.items():
                    outcomes[view].append(judge_answer(came, given[view], view, baselines))
        progress(end, len(events))
    return outcomes


def judge_answer(
    truth: Key, given: Mapping[Key, float], view: View, baselines: PersonBaselines, names: Sequence[str] = NAMES
) -> Outcome:
    """Return the outcome of one answer, whose candidates are `given` best first, with those of baselines."""
    ranks = {MODEL: rank_of(truth, list(given))}
    ranks |= {name: rank_of(truth, baselines.rank(name, view)) for name in names}
    return Outcome(ranks, next(iter(given.values()), 0.0), given.get(truth, 0.0), truth.action.operation)
