"""How well MEMO predicts the next action of any kind, process events included, on recorded streams.

    python bench/next_action.py FILE…        (or files and folders in MEMO_EVENT_FILES)

Each file is one person. The first 80 % of the windows train; the others are asked in order, each window before its
answer is learned, of the model and of the baselines alike, so nothing leaks.
"""

from collections.abc import Sequence
from typing import Any

from _stack import machine
from _tables import difference, event_files, silent, table
from random_split import LOOK_UP, look_up

from memo.core.settings import Settings
from training.evaluation import evaluate, questions
from training.evaluation.baselines import NAMES
from training.evaluation.report import existing, first_asked, fresh, report, summarize
from worker.predictors.mixed import MixedPredictor

COLUMNS = ("hit@1", "hit@3", "hit@5", "mrr", "exact", "overall", "ece", "malformed")
CUTS = (1, 5)  # hit@k of the coarse view
OURS = {"fresh": "memo, fine-tuned", "builtin": "memo, as it ships"}


def next_action(reports: dict[str, dict[str, Any]]) -> str:
    """Return the scores of versions and baselines for the next action."""
    rows = {OURS[version]: found["scores"]["memo"] for version, found in reports.items()}
    rows |= {name: scores for name, scores in next(iter(reports.values()))["scores"].items() if name != "memo"}
    title = f"next action, n = {next(iter(reports.values()))['n']}"
    return table(title, COLUMNS, {name: [scores.get(c) for c in COLUMNS] for name, scores in rows.items()})


def views(reports: dict[str, dict[str, Any]]) -> str:
    """Return the scores at the level of app, site and folder, and those of upcoming actions."""

    def cells(found: dict[str, Any], name: str) -> list[Any]:
        rates = [found["views"]["coarse"][name][f"hit@{cut}"] for cut in CUTS]
        return [*rates, found["upcoming"].get(name, {}).get("ap")]

    columns = [*(f"coarse @{cut}" for cut in CUTS), "upcoming AP"]
    first = next(iter(reports.values()))
    rows = {OURS[version]: cells(found, "memo") for version, found in reports.items()}
    rows |= {name: cells(first, name) for name in NAMES}
    rows["decay"] = [None] * (len(columns) - 1) + [first["upcoming"]["decay"]["ap"]]
    return table("other views", columns, rows)


def ahead(differences: dict[str, Any]) -> str:
    """Return how far the model is ahead of each baseline at hit@1, as a sentence."""
    texts = [difference(name, found["hit@1"]) for name, found in differences.items()]
    return f"Ahead at hit@1, with the 95 % interval of a block bootstrap: {', '.join(texts)}."


def ahead_in_coarse_view(judged: Sequence[evaluate.Judged]) -> str:
    """Return how far the model is ahead of the best baseline of the coarse view, as a sentence."""
    found, texts = evaluate.score(judged)["coarse"], []
    for cut in CUTS:
        best = max(NAMES, key=lambda name: found[name][f"hit@{cut}"])
        differences = evaluate.compare_with_baseline(judged, best, "coarse")
        texts.append(difference(f"coarse @{cut} {best}", differences[f"hit@{cut}"]))
    return f"Ahead of the best baseline, with the same interval: {', '.join(texts)}."


def pooled(judged: Sequence[evaluate.Judged]) -> str:
    """Return the scores over all people; a calibration error needs that many windows."""
    found = summarize(judged)
    return f"{next_action({'fresh': found})}\n\n{ahead(found['ahead'])}"


def whole_stream(asked: Sequence[questions.Question]) -> str:
    """Return the scores from the first window on, with no training and no language model."""
    judged = evaluate.ask_in_order(MixedPredictor(), asked, 1, lambda _done, _total: None)
    columns = ("hit@1", "hit@3", "hit@5")
    rows = {name: [scores[column] for column in columns] for name, scores in evaluate.score(judged)["next"].items()}
    differences = {name: evaluate.compare_with_baseline(judged, name) for name in NAMES}
    return f"{table(f'whole stream, no training, n = {len(judged)}', columns, rows)}\n\n{ahead(differences)}"


def main() -> None:
    """Print three tables for each file, and one for all of them."""
    everything: list[evaluate.Judged] = []
    settings = Settings.load()
    fits = {"fresh": fresh(settings), "builtin": existing(settings, "builtin", None)}
    print(f"## Next action\n\n`.venv/bin/python bench/next_action.py FILE…` on {machine()}.\n")
    for number, file in enumerate(event_files(), 1):
        asked = questions.from_file(file, settings.zone, settings.window.size, settings.language)
        made = {version: report(asked, fit, silent) for version, fit in fits.items()}
        reports = {version: found for version, (found, _) in made.items()}
        cut = first_asked(asked)
        reports["fresh"]["scores"][LOOK_UP] = look_up(asked[:cut], asked[cut:])
        judged = made["fresh"][1]
        everything += judged
        print(f"Person {number}:\n\n{next_action(reports)}\n\n{ahead(reports['fresh']['ahead'])}\n\n{views(reports)}\n")
        print(f"{ahead_in_coarse_view(judged)}\n\n{whole_stream(asked)}\n")
    if everything:
        print(f"All people:\n\n{pooled(everything)}\n")


if __name__ == "__main__":
    main()
