"""The predictor on the windows 20-80 % of recorded streams, those that may be looked at while it is made.

    python bench/dev.py FILE.json… [--without COLUMN…] [--model]

Each window is asked before its answer is known. `--without` blanks columns of the mixer, to see what they earn;
`--model` adds the built-in language model. The log-loss is that of the truth, in nats; of something new, that of
`new_probability`.
"""

import argparse
import math
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

from memo.settings import Settings
from training import evaluate, questions, upcoming
from training.evaluate import MODEL, Judged
from training.metrics import key_of
from training.views import View
from worker.predictors.history import FEATURES, History
from worker.predictors.mixed import MixedPredictor
from worker.predictors.serving import open_predictor
from worker.predictors.symbols import Ids
from worker.predictors.tables import Array

BEGIN, END = 0.2, 0.8
FLOOR = 1e-6
VIEWS: tuple[View, ...] = ("human", "human coarse")


def judge(file: Path, predictor: MixedPredictor) -> list[Judged]:
    """Ask the windows of a file."""
    asked = questions.from_file(file, UTC, 5, "zh")
    begin, end = (int(len(asked) * share) for share in (BEGIN, END))
    return evaluate.chrono(predictor, asked[:end], begin, lambda _done, _total: None)


def log_loss(judged: Sequence[Judged]) -> float:
    """Mean of -log p(truth), in nats."""
    losses = []
    for entry in judged:
        said = {key_of(one.action, one.detail): one.probability for one in entry.ranking.candidates}
        losses.append(-math.log(max(FLOOR, said.get(entry.truth["next"], entry.ranking.new_probability))))
    return sum(losses) / len(losses)


def row(name: str, judged: Sequence[Judged]) -> str:
    """A row of the table."""
    scores = evaluate.scores(judged)
    found = scores["next"][MODEL]
    cells = ["/".join(f"{found[f'hit@{cut}']:.3f}" for cut in (1, 3, 5)), f"{log_loss(judged):.3f}"]
    cells += [f"{found['ece']:.3f}"]
    cells += ["/".join(f"{scores[view][MODEL][f'hit@{cut}']:.3f}" for cut in (1, 5)) for view in VIEWS]
    precision = upcoming.scored(entry.upcoming for entry in judged)
    best = max(value["ap"] for other, value in precision.items() if other != MODEL)
    cells.append(f"{precision[MODEL]['ap']:.3f} ({best:.3f})")
    return f"| {name} | {len(judged)} | " + " | ".join(cells) + " |"


def blank(columns: Sequence[str]) -> None:
    """Make columns say nothing."""
    features = History.features
    places = [FEATURES.index(column) for column in columns]

    def without(self: History, chosen: Ids) -> Array:
        matrix = features(self, chosen)
        matrix[:, places] = 0.0
        return matrix

    History.features = without  # type: ignore[method-assign]


def main() -> None:
    """Print a row for each file, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--without", nargs="+", default=[], choices=FEATURES)
    parser.add_argument("--model", action="store_true")
    options = parser.parse_args()
    blank(options.without)
    print("| | n | hit@1/3/5 | log-loss | ECE | human @1/5 | human coarse @1/5 | upcoming AP (best baseline) |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: |")
    everything: list[Judged] = []
    for number, file in enumerate(options.files, 1):
        model = Settings.load().model
        predictor = open_predictor(model, "builtin", None) if options.model else MixedPredictor()
        judged = judge(file, predictor)
        print(row(f"person {number}", judged), flush=True)
        everything += judged
    print(row("all", everything))


if __name__ == "__main__":
    main()
