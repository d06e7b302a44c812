"""Scores of the predictor on the windows 20-80 % of recorded streams, which may be looked at during development.

    python bench/dev.py FILE.json… [--without COLUMN…] [--model] [--parts]

Each window is asked before its answer is learned; the last 20 % are left for bench/next_action.py. `--without` sets
columns of the mixer to zero, to see what they earn; `--model` adds the built-in language model. The log-loss is that
of the truth in nats, with `new_probability` for a truth that is not among the candidates. `--parts` adds a table of
windows where counts say little: the first 20 %, answers never seen before, and windows whose last action was rare.
An app or a site never seen before has no other coarse form, so it cannot be a coarse hit.
"""

import argparse
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

from memo.core.events import Action
from memo.core.settings import Settings
from training.evaluation import evaluate, questions, upcoming_truth
from training.evaluation.evaluate import MODEL, Judged
from training.evaluation.metrics import key_of
from worker.predictors.history.candidate_ids import Ids
from worker.predictors.history.history_features import FEATURES, HistoryFeatures
from worker.predictors.history.tables import Array
from worker.predictors.mixed import MixedPredictor
from worker.predictors.serving import open_predictor

BEGIN = 0.2
END = 0.8
FLOOR = 1e-6  # probability of a truth that the model excludes
EARLY = "windows 0-20 %"
NEW = "never seen before"
RARE = "after an action seen once or twice"
RARE_COUNT = 2


def judge(file: Path, predictor: MixedPredictor) -> tuple[list[Judged], list[Judged]]:
    """Ask the windows of a file; return those before `BEGIN`, and those from there to `END`."""
    asked = questions.from_file(file, UTC, 5, "zh")
    begin, end = (int(len(asked) * share) for share in (BEGIN, END))
    judged = evaluate.ask_in_order(predictor, asked[:end], 0, lambda _done, _total: None)
    return judged[:begin], judged[begin:]


def in_parts(early: Sequence[Judged], late: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Return the early windows, and the late ones whose answer is new or whose last action is rare."""
    parts: dict[str, list[Judged]] = {EARLY: list(early), NEW: [], RARE: []}
    seen: Counter[Action] = Counter()
    for number, entry in enumerate([*early, *late]):
        asked = entry.question
        seen.update(event.action.identity for event in asked.new)
        if number >= len(early) and asked.output.action.identity not in seen:
            parts[NEW].append(entry)
        if number >= len(early) and seen[asked.window[-1].action.identity] <= RARE_COUNT:
            parts[RARE].append(entry)
        seen[asked.output.action.identity] += 1
    return parts


def log_loss(judged: Sequence[Judged]) -> float:
    """Return the mean of -log p(truth), in nats."""
    losses = []
    for entry in judged:
        probabilities = {key_of(one.action, one.detail): one.probability for one in entry.ranking.candidates}
        truth = probabilities.get(entry.truth["next"], entry.ranking.new_probability)
        losses.append(-math.log(max(FLOOR, truth)))
    return sum(losses) / len(losses)


def hits(found: Mapping[str, Any], *cuts: int) -> str:
    """Return hit@k of each cut."""
    return "/".join(f"{found[f'hit@{cut}']:.3f}" for cut in cuts)


def part_row(name: str, judged: Sequence[Judged]) -> str:
    """Return a row of the table of parts."""
    scores = evaluate.score(judged)
    cells = [hits(scores["next"][MODEL], 1, 3, 5), f"{log_loss(judged):.3f}", hits(scores["coarse"][MODEL], 1, 5)]
    return f"| {name} | {len(judged)} | " + " | ".join(cells) + " |"


def row(name: str, judged: Sequence[Judged]) -> str:
    """Return a row of the main table."""
    scores = evaluate.score(judged)
    found = scores["next"][MODEL]
    cells = [hits(found, 1, 3, 5), f"{log_loss(judged):.3f}", f"{found['ece']:.3f}"]
    cells.append(hits(scores["coarse"][MODEL], 1, 5))
    precision = upcoming_truth.score(entry.upcoming for entry in judged)
    best = max(value["ap"] for other, value in precision.items() if other != MODEL)
    cells.append(f"{precision[MODEL]['ap']:.3f} ({best:.3f})")
    return f"| {name} | {len(judged)} | " + " | ".join(cells) + " |"


def blank(columns: Sequence[str]) -> None:
    """Set columns of the mixer to zero."""
    features = HistoryFeatures.features
    places = [FEATURES.index(column) for column in columns]

    def without(self: HistoryFeatures, chosen: Ids) -> Array:
        matrix = features(self, chosen)
        matrix[:, places] = 0.0
        return matrix

    HistoryFeatures.features = without  # type: ignore[method-assign]


def main() -> None:
    """Print a row for each file, and one for all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--without", nargs="+", default=[], choices=FEATURES)
    parser.add_argument("--model", action="store_true")
    parser.add_argument("--parts", action="store_true")
    options = parser.parse_args()
    blank(options.without)
    print("| | n | hit@1/3/5 | log-loss | ECE | coarse @1/5 | upcoming AP (best baseline) |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    everything: list[Judged] = []
    parts: dict[str, list[Judged]] = {}
    for number, file in enumerate(options.files, 1):
        model = Settings.load().model
        predictor = open_predictor(model, "builtin", None) if options.model else MixedPredictor()
        early, judged = judge(file, predictor)
        print(row(f"person {number}", judged), flush=True)
        everything += judged
        for name, part in in_parts(early, judged).items():
            parts.setdefault(name, []).extend(part)
    print(row("all", everything))
    if options.parts:
        print("\n| part | n | hit@1/3/5 | log-loss | coarse @1/5 |\n| --- | --: | --: | --: | --: |")
        print("\n".join(part_row(name, part) for name, part in parts.items() if part))


if __name__ == "__main__":
    main()
