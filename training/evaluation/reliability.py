"""Whether probabilities are true: of what was said with p, how much came; by level and by operation."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from memo.core.errors import MemoError
from training.evaluation import metrics
from training.evaluation.evaluate import Judged

Said = list[tuple[float, float]]
"""Probability of a first candidate, and 1 where it came true."""

SMALL = 20
"""Answers; of fewer, nothing is shown."""
COLUMNS = 3
"""Panels in a row."""


def groups(judged: Iterable[Judged]) -> dict[str, Said]:
    """The first candidate of each answer: fine, coarse, and fine by its operation."""
    found: defaultdict[str, Said] = defaultdict(list)
    for entry in judged:
        if not entry.ranking.candidates:
            continue
        first = entry.ranking.candidates[0]
        said = metrics.key_of(first.action, first.detail)
        came = float(said == entry.truth["next"])
        coarse, probability = metrics.best_coarse(entry.ranking.candidates)
        found["fine"].append((first.probability, came))
        found["coarse"].append((probability, float(coarse == entry.truth["coarse"])))
        found[first.action.operation.value].append((first.probability, came))
    return {name: said for name, said in found.items() if len(said) >= SMALL}


def reliability(said: Said) -> dict[str, Any]:
    """n, ECE, and the bins of equal mass that it is made of: mean probability, share that came, n."""
    return {"n": len(said), "ece": metrics.ece(said), "bins": metrics.bins(said)}


def draw(judged: Sequence[Judged], file: Path) -> None:
    """A reliability diagram for each group, as PNG. Raises MemoError where it can't be drawn or written."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MemoError(f"--plot needs matplotlib; run `{sys.executable} -m pip install matplotlib`.") from error
    found = groups(judged)
    if not found:
        raise MemoError(f"There are fewer than {SMALL} answers, too few to draw; give more windows.")
    rows = -(-len(found) // COLUMNS)
    figure = Figure(figsize=(4 * COLUMNS, 4 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for panel in list(panels)[len(found) :]:
        panel.set_axis_off()
    for panel, (name, said) in zip(figure.axes, found.items(), strict=False):
        _panel(panel, name, reliability(said))
    try:
        figure.savefig(file, format="png", dpi=120)
    except OSError as error:
        raise MemoError(f"{file} can't be written ({error.strerror}); name another file with --plot.") from error


def _panel(panel: Any, name: str, found: dict[str, Any]) -> None:
    panel.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    panel.plot([said for said, _, _ in found["bins"]], [came for _, came, _ in found["bins"]], marker="o")
    panel.set(xlim=(0, 1), ylim=(0, 1), xlabel="said", ylabel="came true", aspect="equal")
    panel.set_title(f"{name}: ECE {found['ece']:.3f}, n {found['n']}", fontsize=10)
