"""How often the daily review would find drift in streams of real people, by their losses of the next place.

python bench/drift.py FILE_OR_FOLDER…
"""

from datetime import UTC
from pathlib import Path

from _tables import event_files, table

from data.importers import events
from training.drift import find_rise
from training.evaluation import metrics
from training.evaluation.person_views import ask
from training.evaluation.served import LEARNED
from worker.predictors.mixed import MixedPredictor

WINDOW = 5  # events


def losses(file: Path) -> list[float]:
    """Return the log-loss of the place of each of a stream's actions but the first ones."""
    outcomes = ask(MixedPredictor(), list(events(file, UTC)), WINDOW, lambda _done, _total: None, LEARNED)
    return [metrics.log_loss([one.truth]) for one in outcomes["place"]]


def find_alarms(found: list[float]) -> list[int]:
    """Return the numbers of the actions at which drift is found; after each the test begins again."""
    alarms = [0]
    while rise := find_rise(found[alarms[-1] :]):
        alarms.append(alarms[-1] + rise)
    return alarms[1:]


def main() -> None:
    """Print the table."""
    rows = {}
    for file in event_files():
        found = losses(file)
        rows[file.stem] = [len(found), len(find_alarms(found))]
    acts, alarms = (sum(column) for column in zip(*rows.values(), strict=True))
    print(table("stream", ("actions", "drift found"), rows | {"all": [acts, alarms]}))


if __name__ == "__main__":
    main()
