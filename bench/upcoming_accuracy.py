"""How well MEMO predicts what a person will want within ten minutes, compared with simple rules, over many streams.

    python bench/upcoming_accuracy.py FOLDER|FILE…        (or files and folders in MEMO_EVENT_FILES)

Each file is one person. The first part of what the person did is past, and each of the other moments is asked, as in
training/evaluation/person_views.py. The figure is the average precision over all things that were seen before and are
not in use; the best rule of each person is known only with hindsight.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from _stack import machine
from _tables import event_files, table

from cli.terminal.progress import progress_bar
from data.importers import events
from memo.core.events import Event
from memo.core.predictions import UPCOMING_OPERATIONS
from memo.core.settings import Settings
from memo.core.steps import with_progress
from training.evaluation import upcoming_truth
from training.evaluation.evaluate import MODEL
from training.evaluation.person_views import first_question
from training.evaluation.upcoming_truth import Rows, UpcomingTruth
from worker.predictors.upcoming.hazard import Hazard

BASELINES = ("mfu", "mru", "decay", "after")


def ask(stream: Sequence[Event]) -> list[Rows]:
    """Return the answers of one person's questions."""
    hazard, truth = Hazard(), UpcomingTruth(stream)
    asked = [event for event in stream if event.action.operation in UPCOMING_OPERATIONS]
    first, found = first_question(len(asked)), []
    for event in stream:
        hazard.learn(event)
        truth.learn(event)
        if event.action.operation in UPCOMING_OPERATIONS:
            first -= 1
            if first < 0:
                found.append(truth.rows(event, MODEL, hazard.upcoming(event.at)))
    return found


def judge(file: Path) -> dict[str, float]:
    """Return the average precision of the model and of each rule for one person."""
    scores = upcoming_truth.score(ask(events(file, Settings.load().zone)))
    return {name: found["ap"] for name, found in scores.items()}


def main() -> None:
    """Print the table."""
    files = event_files()
    print(f"## Upcoming, average precision\n\n`.venv/bin/python bench/upcoming_accuracy.py FOLDER` on {machine()}.\n")
    with progress_bar("asking people") as progress:
        people = [judge(file) for file in with_progress(files, len(files), progress)]
    best = [max(one[name] for name in BASELINES) for one in people]
    gains = [one[MODEL] - rule for one, rule in zip(people, best, strict=True)]
    rows = {name: [mean(one[name] for one in people)] for name in BASELINES}
    rows |= {"the best rule of each person": [mean(best)], "memo": [mean(one[MODEL] for one in people)]}
    print(table(f"{len(people)} people", ["mean"], rows))
    print(f"\nFor {sum(gain > 0 for gain in gains)} of {len(people)} people MEMO is ahead of their best rule.")


if __name__ == "__main__":
    main()
