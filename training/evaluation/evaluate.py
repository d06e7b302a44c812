"""Ask a predictor and the baselines the same questions in order of time, and score their answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from memo.core.events import Event
from memo.core.grammar import language_of, write_action
from memo.core.predictions import Ranking
from memo.core.steps import Progress
from memo.protocols import Predictor
from training.evaluation import metrics
from training.evaluation.baselines import NAMES, Baselines
from training.evaluation.metrics import Key, coarse_ranking, key, key_of, rank_of
from training.evaluation.questions import Question, stream
from training.evaluation.results import Result, status
from training.evaluation.upcoming_truth import Rows, UpcomingTruth

MODEL = "memo"
TRAIN_SHARE = 0.8
TOP = 50  # candidates requested for each question

View = Literal["next", "coarse"]
"""The next action, or its app, site or folder."""
VIEWS: tuple[View, ...] = ("next", "coarse")

Scores = dict[str, dict[str, Any]]
"""Name of the model or of a baseline -> its scores."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A question, and the rankings of the model and of the baselines."""

    question: Question
    ranking: Ranking
    baselines: dict[View, dict[str, list[Key]]]
    upcoming: Rows = field(default_factory=dict)

    @property
    def truth(self) -> dict[View, Key]:
        """The truth in each view."""
        return truth_of(self.question.output)

    def ranks(self, view: View) -> dict[str, int | None]:
        """Return the truth's rank in the answers of the model and of the baselines, None where it is absent."""
        truth = self.truth[view]
        rankings = {MODEL: answers(self.ranking)[view], **self.baselines[view]}
        return {name: rank_of(truth, ranking) for name, ranking in rankings.items()}

    @property
    def texts(self) -> list[str]:
        """The event lines of the model's candidates."""
        return [candidate.as_dict(self.question.language)["text"] for candidate in self.ranking.candidates]

    @property
    def exact(self) -> bool:
        """Whether the first candidate's line equals the reference, including its second."""
        return self.texts[:1] == [self.question.reference]

    @property
    def malformed(self) -> bool:
        """Whether there is no answer, or one of the answers is not an event line."""
        return not self.texts or any(language_of(text) is None for text in self.texts)


@dataclass
class Learner:
    """A predictor and the baselines, which learn from the same events."""

    predictor: Predictor
    size: int
    upcoming: UpcomingTruth | None = None
    views: dict[View, Baselines] = field(default_factory=lambda: {view: Baselines() for view in VIEWS})
    past: list[Event] = field(default_factory=list)

    def learn(self, event: Event, asked: bool = False) -> None:
        """Learn the next event; rank it first unless it was already `asked`, since the mixer learns from its rank."""
        if self.past and not asked:
            self.predictor.predict(self.past, 1)
        self.predictor.learn(event)
        for view, truth in truth_of(event).items():
            self.views[view].learn(truth, event.at.timestamp())
        if self.upcoming is not None:
            self.upcoming.learn(event)
        self.past = [*self.past, event][-self.size :]

    def judge(self, question: Question) -> Judged:
        """Ask the model and the baselines what comes next."""
        ranking = self.predictor.predict(question.window, TOP)
        rows = self.upcoming.rows(question.window[-1], MODEL, ranking.upcoming) if self.upcoming else {}
        rankings = {view: {name: rules.rank(name) for name in NAMES} for view, rules in self.views.items()}
        return Judged(question, ranking, rankings, rows)


def answers(ranking: Ranking) -> dict[View, list[Key]]:
    """Return the model's candidates in each view."""
    every = [(key_of(entry.action, entry.detail), entry.probability) for entry in ranking.candidates]
    return {"next": [candidate for candidate, _ in every], "coarse": list(coarse_ranking(every))}


def truth_of(event: Event) -> dict[View, Key]:
    """Return the truth in each view where this event came."""
    return {"next": key(event), "coarse": key(event).coarse}


def ask_in_order(predictor: Predictor, questions: Sequence[Question], cut: int, progress: Progress) -> list[Judged]:
    """Ask the questions from number `cut` on, each before its answer is learned; earlier questions are only learned."""
    learner = Learner(predictor, len(questions[0].window), UpcomingTruth(stream(questions)))
    judged = []
    for number, question in enumerate(questions):
        for event in question.new:
            learner.learn(event)
        if number >= cut:
            judged.append(learner.judge(question))
        learner.learn(question.output, asked=number >= cut)
        progress(number + 1, len(questions))
    return judged


def score(judged: Sequence[Judged]) -> dict[View, Scores]:
    """Return the scores of model and baselines in each view. Raises ValueError for no answers."""
    return {view: _score_view(judged, view) for view in VIEWS}


def _score_view(judged: Sequence[Judged], view: View) -> Scores:
    ranks = [entry.ranks(view) for entry in judged]
    scores = {name: metrics.score_ranks([one[name] for one in ranks]) for name in (MODEL, *NAMES)}
    if view == "next":
        scores[MODEL] |= _score_lines(judged, [one[MODEL] for one in ranks])
    return scores


def _score_lines(judged: Sequence[Judged], ranks: Sequence[int | None]) -> dict[str, Any]:
    """Return the scores that need the answer's time and probabilities, which baselines do not give."""
    first = [next((candidate.probability for candidate in one.ranking.candidates), 0.0) for one in judged]
    return {
        **metrics.score_exact(ranks, [entry.exact for entry in judged]),
        "ece": metrics.ece((probability, float(rank == 1)) for probability, rank in zip(first, ranks, strict=True)),
        "malformed": sum(entry.malformed for entry in judged),
    }


def compare_with_baseline(judged: Sequence[Judged], name: str, view: View = "next") -> dict[str, Any]:
    """Return how far the model is ahead of a baseline: the difference of each hit@k with its 95 % interval."""
    return compare_ranks([(ranks[MODEL], ranks[name]) for ranks in (one.ranks(view) for one in judged)])


def compare_ranks(pairs: Sequence[tuple[int | None, int | None]]) -> dict[str, Any]:
    """Return how far the first ranks are ahead of the second ones on the same questions, at each hit@k."""
    found = {}
    for cut in metrics.CUTS:
        values = [float(metrics.is_hit(one, cut)) - float(metrics.is_hit(other, cut)) for one, other in pairs]
        found[f"hit@{cut}"] = {
            "difference": sum(values) / len(values),
            "95": list(metrics.interval(values, metrics.BLOCK)),
        }
    return found


def best_baseline(scores: Scores) -> str:
    """Return the baseline with the highest hit@1, and among equals the highest MRR."""
    return max(NAMES, key=lambda name: (scores[name]["hit@1"], scores[name]["mrr"]))


def as_results(judged: Sequence[Judged], baseline: str) -> Iterator[Result]:
    """Yield a row of prediction_results.csv for each question; a baseline predicts no time, so it is never exact."""
    for entry in judged:
        language, truth = entry.question.language, entry.truth["next"]
        first = answers(entry.ranking)["next"][:1]
        other = entry.baselines["next"][baseline][:1]
        yield Result(
            prompt=entry.question.prompt,
            prediction=next(iter(entry.texts), ""),
            reference=entry.question.reference,
            status=status(language, entry.exact, first == [truth]),
            best_baseline=baseline,
            baseline_prediction=write_action(other[0].action, language, other[0].detail) if other else "",
            baseline_status=status(language, False, other == [truth]),
        )
