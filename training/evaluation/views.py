"""Four views of an answer: the next action and the next human action, each fine and coarse."""

from collections.abc import Iterator, Sequence
from typing import Literal

from memo.core.events import HUMAN, Event
from memo.core.predictions import HORIZON_S, Ranking
from training.evaluation.baselines import NAMES, Baselines
from training.evaluation.metrics import Key, coarse_ranking, key, key_of
from training.evaluation.questions import Question

View = Literal["next", "coarse", "human", "human coarse"]
VIEWS: tuple[View, ...] = ("next", "coarse", "human", "human coarse")
AHEAD = 400  # events searched for the next human action

Rankings = dict[View, dict[str, list[Key]]]
"""View -> name of a baseline -> its candidates."""


class ViewBaselines:
    """The baselines, separately for each view."""

    def __init__(self) -> None:
        self._views = {view: Baselines() for view in VIEWS}

    def learn(self, event: Event) -> None:
        """Learn the next event."""
        happened = key(event)
        self._views["next"].learn(happened)
        self._views["coarse"].learn(happened.coarse)
        if event.operation in HUMAN:
            self._views["human"].learn(happened)
            self._views["human coarse"].learn(happened.coarse)

    def rankings(self) -> Rankings:
        """Return the present candidates of each baseline in each view."""
        return {view: {name: baselines.rank(name) for name in NAMES} for view, baselines in self._views.items()}


def answers(ranking: Ranking) -> dict[View, list[Key]]:
    """Return the model's candidates in each view; the human views leave out process events."""
    every = [(key_of(entry.action, entry.detail), entry.probability) for entry in ranking.candidates]
    human = [(candidate, probability) for candidate, probability in every if candidate.action.operation in HUMAN]
    return {
        "next": [candidate for candidate, _ in every],
        "coarse": coarse_ranking(every),
        "human": [candidate for candidate, _ in human],
        "human coarse": coarse_ranking(human),
    }


def truths(questions: Sequence[Question]) -> Iterator[dict[View, Key]]:
    """Yield the truth of each question by view; human views are absent where no human action came in the horizon."""
    stream: list[Event] = []
    marks = []
    for question in questions:
        stream += question.new
        marks.append(len(stream))
        stream.append(question.output)
    for mark, question in zip(marks, questions, strict=True):
        truth: dict[View, Key] = {"next": key(question.output), "coarse": key(question.output).coarse}
        if (human := _next_human(stream, mark)) is not None:
            truth |= {"human": human, "human coarse": human.coarse}
        yield truth


def _next_human(stream: Sequence[Event], mark: int) -> Key | None:
    now = stream[mark - 1].at
    for event in stream[mark : mark + AHEAD]:
        if event.operation in HUMAN and 0 <= (event.at - now).total_seconds() <= HORIZON_S:
            return key(event)
    return None
