"""Four ways to look at an answer: the next action and the next that a person does, each fine and coarse."""

from collections.abc import Iterator, Sequence
from typing import Literal

from memo.core.events import HUMAN, Event
from memo.core.predictions import HORIZON_S, Ranking
from training.evaluation.baselines import NAMES, Baselines
from training.evaluation.metrics import Key, coarse_ranking, key, key_of
from training.evaluation.questions import Question

View = Literal["next", "coarse", "human", "human coarse"]
VIEWS: tuple[View, ...] = ("next", "coarse", "human", "human coarse")
AHEAD = 400
"""Events that are searched for the next human action."""

Rankings = dict[View, dict[str, list[Key]]]
"""View -> name of a baseline -> its candidates."""


class ViewWatcher:
    """The baselines, of each view its own."""

    def __init__(self) -> None:
        self._views = {view: Baselines() for view in VIEWS}

    def learn(self, event: Event) -> None:
        """Take in what happened next."""
        happened = key(event)
        self._views["next"].learn(happened)
        self._views["coarse"].learn(happened.coarse)
        if event.operation in HUMAN:
            self._views["human"].learn(happened)
            self._views["human coarse"].learn(happened.coarse)

    def rankings(self) -> Rankings:
        """What each baseline says now."""
        return {view: {name: baselines.rank(name) for name in NAMES} for view, baselines in self._views.items()}


def answers(ranking: Ranking) -> dict[View, list[Key]]:
    """The model's candidates in each view; process lines are passed over for the next human action."""
    said = [(key_of(entry.action, entry.detail), entry.probability) for entry in ranking.candidates]
    people = [(candidate, probability) for candidate, probability in said if candidate.action.operation in HUMAN]
    return {
        "next": [candidate for candidate, _ in said],
        "coarse": coarse_ranking(said),
        "human": [candidate for candidate, _ in people],
        "human coarse": coarse_ranking(people),
    }


def truths(questions: Sequence[Question]) -> Iterator[dict[View, Key]]:
    """For each question what was true in each view; without the human ones where none came within the horizon."""
    stream: list[Event] = []
    marks = []
    for question in questions:
        stream += question.new
        marks.append(len(stream))
        stream.append(question.output)
    for mark, question in zip(marks, questions, strict=True):
        found: dict[View, Key] = {"next": key(question.output), "coarse": key(question.output).coarse}
        if (human := _next_human(stream, mark)) is not None:
            found |= {"human": human, "human coarse": human.coarse}
        yield found


def _next_human(stream: Sequence[Event], mark: int) -> Key | None:
    now = stream[mark - 1].at
    for event in stream[mark : mark + AHEAD]:
        if event.operation in HUMAN and 0 <= (event.at - now).total_seconds() <= HORIZON_S:
            return key(event)
    return None
