"""Calibration: whether answers given with probability p come true with frequency p, by level and by operation."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from memo.core.errors import MemoError
from training.evaluation import metrics
from training.evaluation.evaluate import Judged

Answers = list[tuple[float, float]]
"""Probability of a first candidate, and 1 if it came true, else 0."""

MIN_ANSWERS = 20  # a smaller group is left out
COLUMNS = 3  # panels in a row of the diagram


def group_answers(judged: Iterable[Judged]) -> dict[str, Answers]:
    """Return the first candidates in groups: fine, coarse, and fine by operation."""
    groups: defaultdict[str, Answers] = defaultdict(list)
    for entry in judged:
        if not entry.ranking.candidates:
            continue
        first = entry.ranking.candidates[0]
        came = float(metrics.key_of(first.action, first.detail) == entry.truth["next"])
        every = ((metrics.key_of(one.action, one.detail), one.probability) for one in entry.ranking.candidates)
        coarse, probability = next(iter(metrics.coarse_ranking(every).items()))
        groups["fine"].append((first.probability, came))
        groups["coarse"].append((probability, float(coarse == entry.truth["coarse"])))
        groups[first.action.operation.value].append((first.probability, came))
    return {name: answers for name, answers in groups.items() if len(answers) >= MIN_ANSWERS}


def measure(answers: Answers) -> dict[str, Any]:
    """Return n, ECE, and its bins of equal mass: mean probability, share that came true, n."""
    return {"n": len(answers), "ece": metrics.ece(answers), "bins": metrics.bins(answers)}


def draw(judged: Sequence[Judged], file: Path) -> None:
    """Write a reliability diagram of each group as PNG. Raises MemoError if it can't be drawn or written."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MemoError(f"--plot needs matplotlib; run `{sys.executable} -m pip install matplotlib`.") from error
    groups = group_answers(judged)
    if not groups:
        raise MemoError(f"There are fewer than {MIN_ANSWERS} answers, too few to draw; give more windows.")
    rows = -(-len(groups) // COLUMNS)
    figure = Figure(figsize=(4 * COLUMNS, 4 * rows), layout="constrained")
    panels = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for panel in panels[len(groups) :]:
        panel.set_axis_off()
    for panel, (name, answers) in zip(panels, groups.items(), strict=False):
        _draw_panel(panel, name, measure(answers))
    try:
        figure.savefig(file, format="png", dpi=120)
    except OSError as error:
        raise MemoError(f"{file} can't be written ({error.strerror}); name another file with --plot.") from error


def _draw_panel(panel: Any, name: str, measured: dict[str, Any]) -> None:
    probabilities, shares, _ = zip(*measured["bins"], strict=True)
    panel.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    panel.plot(probabilities, shares, marker="o")
    panel.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted probability", ylabel="share that came true", aspect="equal")
    panel.set_title(f"{name}: ECE {measured['ece']:.3f}, n {measured['n']}", fontsize=10)
