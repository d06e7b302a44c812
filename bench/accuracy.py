"""How well MEMO predicts what a person does next: its scores and those of simple rules over many people's streams.

    python bench/accuracy.py FOLDER|FILE…        (or files and folders in MEMO_EVENT_FILES)

Each file is one person; a person with fewer than 30 questions of a view is left out of it. The protocol is that of
`memo evaluate` (training/evaluation/person_views.py), in one process per core. A gain is the difference to the best
rule of each person by the metric of its column, which is known only with hindsight; its interval is a bootstrap over
people. A person is ahead or behind beyond noise where a block bootstrap over the person's questions excludes 0.
Both are given for all rules, and for the four without `frecency`.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from _stack import machine
from _tables import event_files, table

from cli.terminal.progress import progress_bar
from data.importers import events
from memo.core.settings import Settings
from training.evaluation import metrics, person_scores, person_views
from training.evaluation.evaluate import MODEL
from training.evaluation.person_views import NAMES, VIEWS, View
from worker.predictors.mixed import MixedPredictor

METRICS = ("hit@1", "hit@3", "hit@5", "mrr")
FOUR = ("mru", "mfu", "markov1", "ppm")


class Person(NamedTuple):
    """One person's scores in one view, and the answers from which the pooled calibration error comes."""

    scores: dict[str, Any]
    among_four: dict[str, Any]  # the same compared with four rules
    answers: list[tuple[float, float]]


def judge(file: Path) -> dict[View, Person]:
    """Return the scores of one person in each view."""
    settings = Settings.load()
    stream = events(file, settings.zone)
    outcomes = person_views.ask(MixedPredictor(), stream, settings.window.size, lambda _done, _total: None)
    return {
        view: Person(person_scores.score(found), person_scores.score(found, FOUR), person_scores.first_answers(found))
        for view, found in outcomes.items()
    }


def judge_all(files: Sequence[Path]) -> list[dict[View, Person]]:
    """Return the scores of each person, the longest streams judged first, with a progress bar."""
    longest_first = sorted(files, key=lambda file: -file.stat().st_size)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool, progress_bar("asking people") as progress:
        waiting = [pool.submit(judge, file) for file in longest_first]
        for done, _ in enumerate(as_completed(waiting), 1):
            progress(done, len(files))
        return [judged.result() for judged in waiting]


def describe(view: View, people: Sequence[Person]) -> str:
    """Return the table of one view, and how well its probabilities are calibrated."""
    means = {name: [mean(one.scores["scores"][name][metric] for one in people) for metric in METRICS] for name in NAMES}
    memo = [one.scores["scores"][MODEL] for one in people]
    rows: dict[str, list[Any]] = {
        **means,
        "memo": [mean(scores[metric] for scores in memo) for metric in METRICS],
        **_compare([one.scores for one in people], "the best rule of each person"),
        **_compare([one.among_four for one in people], "the best of four"),
    }
    asked = sum(one.scores["n"] for one in people)
    pooled = metrics.ece(answer for one in people for answer in one.answers)
    return (
        f"{table(f'{view}: {len(people)} people, {asked:,} questions', METRICS, rows)}\n\n"
        f"Log-loss {mean(scores['log_loss'] for scores in memo):.3f} nats, ECE of a person "
        f"{mean(scores['ece'] for scores in memo):.3f}, ECE over all people {pooled:.3f}."
    )


def _compare(people: Sequence[dict[str, Any]], rival: str) -> dict[str, list[Any]]:
    """Return the rows that compare the model with each person's best rule."""
    best = [[_best(scores["scores"], metric) for scores in people] for metric in METRICS]
    own = [[scores["scores"][MODEL][metric] for scores in people] for metric in METRICS]
    gains = [[ours - theirs for ours, theirs in zip(*pair, strict=True)] for pair in zip(own, best, strict=True)]
    return {
        rival: [mean(column) for column in best],
        f"gain on {rival}": [_gain(column) for column in gains],
        f"people ahead of {rival}, of these beyond noise": [_count(people, metric, 1) for metric in METRICS[:3]]
        + [None],
        f"people behind {rival}, of these beyond noise": [_count(people, metric, -1) for metric in METRICS[:3]]
        + [None],
    }


def _best(scores: dict[str, dict[str, Any]], metric: str) -> float:
    return float(scores[person_scores.best_baseline(scores, metric)][metric])


def _gain(gains: Sequence[float]) -> str:
    low, high = metrics.interval(gains)
    return f"{mean(gains):+.3f} [{low:+.3f}, {high:+.3f}]"


def _count(people: Sequence[dict[str, Any]], metric: str, sign: int) -> str:
    """Return how many people are ahead (sign 1) or behind (-1), and how many of these beyond noise."""
    ahead = [scores["ahead"][metric] for scores in people]
    bounds = [found["95"] if sign > 0 else [-bound for bound in found["95"]] for found in ahead]
    return f"{sum(sign * found['difference'] > 0 for found in ahead)}, {sum(min(pair) > 0 for pair in bounds)}"


def main() -> None:
    """Print a table for each view."""
    files = event_files()
    print(f"## Accuracy\n\n`.venv/bin/python bench/accuracy.py FOLDER` on {machine()}.\n")
    people = judge_all(files)
    for view in VIEWS:
        if enough := [one[view] for one in people if "scores" in one[view].scores]:
            print(f"{describe(view, enough)}\n")


if __name__ == "__main__":
    main()
