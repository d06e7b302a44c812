"""The gain of a training from weighing recent events more, and from answers to suggestions as examples.

    python bench/fitting.py FOLDER|FILE…        (or files and folders in MEMO_EVENT_FILES)

Each file is one person, of whose newest events the last fifth is judged as in a promotion. Nobody answered these
suggestions: after every tenth action the one that followed it last is suggested, and the answer is whether it came.
"""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC
from itertools import pairwise
from pathlib import Path
from statistics import mean

from _stack import machine
from _tables import event_files, table

from data.importers import events
from db.prediction.versions import Usable
from memo.core.events import HUMAN, Action, Event
from memo.core.predictions import Answer
from memo.core.settings import Settings
from training.evaluation import metrics
from training.fitting import fine_tune
from training.fitting.examples import GivenAnswer
from training.promote import JUDGED_SHARE, Stream, ask_version

NEWEST = 2_000  # events of a person
ASKED_EVERY = 10  # actions
VARIANTS = {  # weight of the oldest chunk, and whether answers are examples
    "all events alike": (1.0, False),
    "recent ones weigh more": (0.5, False),
    "recent ones weigh more, and answers": (0.5, True),
}


def answer_suggestions(given: Sequence[Event]) -> Iterator[GivenAnswer]:
    """Yield what an honest person answers."""
    acts, followed = [event for event in given if event.operation in HUMAN], dict[Action, Action]()
    for number, (event, following) in enumerate(pairwise(acts)):
        after, came = event.action.identity, following.action.identity
        if number % ASKED_EVERY == 0 and after in followed:
            answer = Answer.YES if followed[after] == came else Answer.NO
            yield GivenAnswer(event.at, after, followed[after], answer)
        followed[after] = came


def measure(given: Sequence[Event], settings: Settings) -> list[list[float]]:
    """Return for each variant its log-loss of the next place, and that of the adapter alone on what it held out."""
    acts = [number for number, event in enumerate(given) if event.operation in HUMAN]
    first = int(len(acts) * (1 - JUDGED_SHARE))
    stream, found = Stream(given, first, acts[first] + 1), []
    seen = given[: stream.trained]
    for weight, has_answers in VARIANTS.values():
        fine_tune.OLDEST_WEIGHT = weight
        answers = list(answer_suggestions(seen)) if has_answers else []
        with tempfile.TemporaryDirectory() as out:
            folder = Path(out) / "version"
            own = fine_tune.train(seen, settings.model.base, folder, settings.train, lambda *_: None, answers=answers)
            outcomes = ask_version(settings, Usable("version", folder), stream).outcomes["place"]
        found.append([metrics.log_loss(one.truth for one in outcomes), own["held_out_loss"]])
    return found


def show(people: Sequence[list[list[float]]]) -> str:
    """Return the table: means over people, and what is gained on the first variant, with intervals over people."""
    rows = dict[str, list[str | float]]()
    for number, name in enumerate(VARIANTS):
        cells = list[str | float]()
        for column in (0, 1):
            gains = [person[0][column] - person[number][column] for person in people]
            low, high = metrics.interval(gains)
            cells += [
                mean(person[number][column] for person in people),
                f"{mean(gains):+.3f} [{low:+.3f}, {high:+.3f}]",
            ]
        rows[name] = cells
    columns = ("log-loss of the next place", "gain", "the adapter alone, next event", "gain")
    return table(f"{len(people)} people", columns, rows)


def main() -> None:
    """Print the table."""
    settings = Settings.load()
    people = [measure(events(file, UTC)[-NEWEST:], settings) for file in event_files()]
    print(f"## Which examples count\n\n`.venv/bin/python bench/fitting.py FOLDER` on {machine()}.\n")
    print(show(people) if people else "")


if __name__ == "__main__":
    main()
