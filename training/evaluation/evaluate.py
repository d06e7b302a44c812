"""Model and baselines asked the same questions: leak-free in the order of time, or the old random way, marked so."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from memo.core.events import Event
from memo.core.grammar import language_of, parse, write_action
from memo.core.predictions import Ranking
from memo.protocols import Predictor
from training.evaluation import metrics
from training.evaluation.baselines import NAMES
from training.evaluation.leak_table import LeakTable
from training.evaluation.metrics import Key, key, place
from training.evaluation.questions import Question, stream
from training.evaluation.results import Result, status
from training.evaluation.upcoming_truth import Due, Rows
from training.evaluation.views import VIEWS, Rankings, View, ViewWatcher, answers, truths

MODEL, LOOK_UP = "memo", "look-up"
TRAIN_SHARE = 0.8
TOP = 50
"""Candidates that are asked for."""
SEED = 0
"""Of the random split."""

Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do."""
Scores = dict[str, dict[str, Any]]
"""Name of the model or a baseline -> its scores."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A question, what was true in each view, the model's ranking and those of the baselines."""

    question: Question
    truth: dict[View, Key]
    ranking: Ranking
    baselines: Rankings
    upcoming: Rows = field(default_factory=dict)
    """What was upcoming, where the future is known."""

    @property
    def texts(self) -> list[str]:
        """The lines of the model's candidates."""
        return [candidate.as_dict(self.question.language)["text"] for candidate in self.ranking.candidates]

    @property
    def exact(self) -> bool:
        """Whether the first is the whole truth, the second included."""
        return self.texts[:1] == [self.question.reference]

    @property
    def malformed(self) -> bool:
        """Whether there is no answer, or a line of no known form among the answers."""
        return not self.texts or any(language_of(text) is None for text in self.texts)


@dataclass
class Learner:
    """A predictor and the baselines, taught alike; each event is ranked before it is learned."""

    predictor: Predictor
    size: int
    due: Due | None = None
    watched: ViewWatcher = field(default_factory=ViewWatcher)
    past: list[Event] = field(default_factory=list)

    def learn(self, event: Event, asked: bool = False) -> None:
        """Take in the next event; `asked` where a ranking was given before it."""
        if self.past and not asked:
            self.predictor.predict(self.past, 1)
        self.predictor.learn(event)
        self.watched.learn(event)
        if self.due is not None:
            self.due.learn(event)
        self.past = [*self.past, event][-self.size :]

    def judge(self, question: Question, truth: dict[View, Key]) -> Judged:
        """Ask the model and the baselines what follows."""
        ranking = self.predictor.predict(question.window, TOP)
        upcoming = self.due.rows(question.window[-1], MODEL, ranking.upcoming) if self.due else {}
        return Judged(question, truth, ranking, self.watched.rankings(), upcoming)


def chrono(predictor: Predictor, questions: Sequence[Question], cut: int, progress: Progress) -> list[Judged]:
    """Ask the questions from number `cut` on, in order, each before its answer is known; those before only teach."""
    learner, judged = Learner(predictor, len(questions[0].window), Due(stream(questions))), []
    for number, (question, truth) in enumerate(zip(questions, truths(questions), strict=True)):
        for event in question.new:
            learner.learn(event)
        if number >= cut:
            judged.append(learner.judge(question, truth))
        learner.learn(question.output, asked=number >= cut)
        progress(number + 1, len(questions))
    return judged


def random_split(questions: Sequence[Question]) -> tuple[list[Question], list[Question]]:
    """A seeded random 80 / 20 split of overlapping windows. It leaks: windows of one part hold answers of the other."""
    order = list(range(len(questions)))
    random.Random(SEED).shuffle(order)
    cut = int(len(order) * TRAIN_SHARE)
    return [questions[number] for number in sorted(order[:cut])], [questions[number] for number in order[cut:]]


def leaking(
    predictor: Predictor, train: Sequence[Question], test: Sequence[Question], progress: Progress
) -> list[Judged]:
    """Teach the training windows, then ask each test window after its own lines; no test answer is taught."""
    learner, judged = Learner(predictor, len(test[0].window)), []
    for event in stream(train):
        learner.learn(event)
    for number, question in enumerate(test, 1):
        for event in question.window:
            learner.learn(event)
        truth: dict[View, Key] = {"next": key(question.output), "coarse": key(question.output).coarse}
        judged.append(learner.judge(question, truth))
        progress(number, len(test))
    return judged


def scores(judged: Sequence[Judged]) -> dict[View, Scores]:
    """View -> name -> scores; a view of which nothing was true is left out."""
    return {view: found for view in VIEWS if (found := _view(judged, view))}


def _view(judged: Sequence[Judged], view: View) -> Scores:
    asked = [entry for entry in judged if view in entry.truth]
    if not asked:
        return {}
    said = [place(entry.truth[view], answers(entry.ranking)[view]) for entry in asked]
    found = {MODEL: metrics.ranked(said) | (_whole(asked, said) if view == "next" else {})}
    for name in NAMES:
        found[name] = metrics.ranked([place(entry.truth[view], entry.baselines[view][name]) for entry in asked])
    return found


def _whole(judged: Sequence[Judged], ranks: Sequence[int | None]) -> dict[str, Any]:
    """What only an answer with its time and its probabilities can be asked."""
    first = [next((entry.probability for entry in one.ranking.candidates), 0.0) for one in judged]
    return {
        **metrics.matched(ranks, [entry.exact for entry in judged]),
        "ece": metrics.ece((said, float(rank == 1)) for said, rank in zip(first, ranks, strict=True)),
        "malformed": sum(entry.malformed for entry in judged),
    }


def ahead(whole: Sequence[Judged], part: Sequence[Judged], view: View) -> dict[str, Any]:
    """How far one model is ahead of another on the same windows: difference of hit@1 and hit@5, 95 % interval."""
    pairs = [(one, other) for one, other in zip(whole, part, strict=True) if view in one.truth]
    return _differences([(_rank(one, view), _rank(other, view)) for one, other in pairs])


def ahead_of_baseline(judged: Sequence[Judged], name: str, view: View = "next") -> dict[str, Any]:
    """The same, of a baseline."""
    asked = [one for one in judged if view in one.truth]
    return _differences([(_rank(one, view), place(one.truth[view], one.baselines[view][name])) for one in asked])


def _rank(judged: Judged, view: View) -> int | None:
    return place(judged.truth[view], answers(judged.ranking)[view])


def _differences(ranks: Sequence[tuple[int | None, int | None]]) -> dict[str, Any]:
    found = {}
    for cut in (1, 5):
        values = [float(_within(one, cut)) - float(_within(other, cut)) for one, other in ranks]
        found[f"hit@{cut}"] = {
            "difference": sum(values) / len(values),
            "95": list(metrics.interval(values, metrics.BLOCK)),
        }
    return found


def _within(rank: int | None, cut: int) -> bool:
    return rank is not None and rank <= cut


def look_up(train: Sequence[Question], test: Sequence[Question]) -> dict[str, Any]:
    """Scores of the table that copies what stands literally in a training window."""
    table = LeakTable(train)
    said = [table.answer(question.prompt) for question in test]
    right = [
        key(parse(text, question.output.at.tzinfo or UTC)) == key(question.output)
        for text, question in zip(said, test, strict=True)
    ]
    ranks = [1 if one else None for one in right]
    exact = [text == question.reference for text, question in zip(said, test, strict=True)]
    return metrics.ranked(ranks) | metrics.matched(ranks, exact)


def best_baseline(found: Scores) -> str:
    """The baseline with the most hits at 1, then the higher MRR."""
    return max(NAMES, key=lambda name: (found[name]["hit@1"], found[name]["mrr"]))


def results(judged: Sequence[Judged], baseline: str) -> Iterator[Result]:
    """A row of prediction_results.csv for each question; a baseline knows no time, so its status is partial at best."""
    for entry in judged:
        language, truth = entry.question.language, entry.truth["next"]
        said = answers(entry.ranking)["next"][:1]
        other = entry.baselines["next"][baseline][:1]
        yield Result(
            prompt=entry.question.prompt,
            prediction=next(iter(entry.texts), ""),
            reference=entry.question.reference,
            status=status(language, entry.exact, said == [truth]),
            best_baseline=baseline,
            baseline_prediction=write_action(other[0].action, language, other[0].detail) if other else "",
            baseline_status=status(language, False, other == [truth]),
        )
