"""What the language model earns where a person's next action is asked: as shipped, and fine-tuned on their past.

    python bench/language_model.py FOLDER|FILE…        (or files and folders in MEMO_EVENT_FILES)

Each file is one person; people with fewer than 5,000 events are left out. The protocol is that of `memo evaluate`
(training/evaluation/person_views.py). The person model answers alone, the language model alone, and both mixed: the
share of the language model follows from how well it predicted so far, by Bayes' rule with forgetting.
"""

import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from _stack import machine
from _tables import event_files, table

from cli.terminal.progress import progress_bar
from data.importers import events
from memo.core.events import HUMAN, Action, Event
from memo.core.settings import Settings
from training.evaluation import metrics
from training.evaluation.metrics import Key, rank_of
from training.evaluation.person_views import first_question, key_of, person_steps, place_of, truths
from training.fitting.fine_tune import train
from worker.predictors.person.person_model import PersonModel
from worker.predictors.reader import Reader
from worker.predictors.serving import BUILTIN, BUILTIN_ADAPTER, Serving

LEAST = 5_000  # events of a person
KEPT = 0.95  # decay of the trust at each question
FLOOR = 1e-4  # least probability that counts in it
HITS = (1, 3, 5)
PERSON, MODEL, BOTH = "person model alone", "language model alone", "both, mixed"

Answer = dict[Key, float]


@dataclass
class Trust:
    """The log-odds of the language model against the person model, in one view."""

    value: float = 0.0
    shares: list[float] = field(default_factory=list)  # of the language model, at each question

    def mix(self, person: Answer, model: Answer) -> Answer:
        """Return the weighed mean of two answers."""
        share = 1 / (1 + math.exp(-self.value))
        self.shares.append(share)
        return {
            key: share * model.get(key, 0.0) + (1 - share) * person.get(key, 0.0)
            for key in person.keys() | model.keys()
        }

    def learn(self, person: Answer, model: Answer, truth: Key) -> None:
        """Learn from what came true."""
        odds = max(FLOOR, model.get(truth, 0.0)) / max(FLOOR, person.get(truth, 0.0))
        self.value = KEPT * self.value + math.log(odds)


@dataclass
class Asked:
    """The ranks of the truth by who answered, and the trust, in one view."""

    ranks: dict[str, list[int | None]] = field(default_factory=lambda: {PERSON: [], MODEL: [], BOTH: []})
    trust: Trust = field(default_factory=Trust)

    def ask(self, person: Answer, model: Answer, truth: Key) -> None:
        """Note how well each answers one question."""
        for name, answer in ((PERSON, person), (MODEL, model), (BOTH, self.trust.mix(person, model))):
            best_first = sorted(answer, key=lambda key: -answer[key])
            self.ranks[name].append(rank_of(truth, best_first))
        self.trust.learn(person, model, truth)

    def hits(self, name: str, most: int) -> float:
        """Return the share of questions whose truth is among the first `most` answers."""
        return mean(rank is not None and rank <= most for rank in self.ranks[name])


def ask(stream: Sequence[Event], reader: Reader) -> dict[str, Asked]:
    """Ask both models after each of the later human actions of a person."""
    steps, model = list(person_steps(stream)), PersonModel()
    first, number = first_question(len(steps)), -1
    asked = {"fine": Asked(), "place": Asked()}
    for event in stream:
        model.learn(event)
        reader.read(event)
        if event.operation in HUMAN:
            number += 1
            found = truths(steps, number) if number >= first else {}
            if "fine" in found and "place" in found:
                human = human_part(reader)
                asked["fine"].ask(_answer(model.things(), key_of), _answer(human, key_of), found["fine"])
                asked["place"].ask(_answer(model.places(), place_of), _answer(human, place_of), found["place"])
    return asked


def human_part(reader: Reader) -> list[tuple[Action, float]]:
    """Return the language model's probabilities of the person's next action, where it is one of those it knows."""
    scores = reader.scores()
    likely = [(action, math.exp(score)) for action, score in scores.actions.items() if action.operation in HUMAN]
    total = sum(p for _, p in likely) + math.exp(scores.new)
    return [(action, p / total) for action, p in likely]


def _answer(likely: Iterable[tuple[Action, float]], key: Callable[[Action], Key]) -> Answer:
    answer: Answer = {}
    for action, probability in likely:
        answer[key(action)] = answer.get(key(action), 0.0) + probability
    return answer


def judge(stream: Sequence[Event], settings: Settings, folder: Path) -> dict[str, dict[str, Asked]]:
    """Return how a person's questions are answered with the model as shipped and fine-tuned on their past."""
    past = _events_before(stream, first_question(len(list(person_steps(stream)))))
    with progress_bar("training") as progress:
        train(past, settings.model.base, folder, settings.train, lambda done, steps, _loss: progress(done, steps))
    serving = Serving(settings.model)
    readers = {"as shipped": serving.reader(BUILTIN, BUILTIN_ADAPTER), "fine-tuned": serving.reader("tuned", folder)}
    return {name: ask(stream, reader) for name, reader in readers.items() if reader is not None}


def _events_before(stream: Sequence[Event], number: int) -> Sequence[Event]:
    """Return the events up to the human action with a number."""
    human = [end for end, event in enumerate(stream, 1) if event.operation in HUMAN]
    return stream[: human[number]]


def describe(people: Sequence[dict[str, dict[str, Asked]]], view: str) -> str:
    """Return the table of one view: hits, and the share of the language model at the end."""
    rows: dict[str, list[Any]] = {}
    for variant in people[0]:
        found = [person[variant][view] for person in people]
        for name in (PERSON, MODEL, BOTH):
            share = mean(mean(one.trust.shares[-100:]) for one in found) if name == BOTH else None
            row = name if name == PERSON else f"{name}, {variant}"
            rows[row] = [*(mean(one.hits(name, most) for one in found) for most in HITS), share]
        gains = [[one.hits(BOTH, most) - one.hits(PERSON, most) for one in found] for most in HITS]
        rows[f"gain of both, {variant}"] = [*(f"{mean(gain):+.3f} {_interval(gain)}" for gain in gains), None]
    asked = sum(len(person["as shipped"][view].ranks[BOTH]) for person in people)
    columns = [*(f"hit@{most}" for most in HITS), "share of the language model, last 100 questions"]
    return table(f"{view}: {len(people)} people, {asked:,} questions", columns, rows)


def _interval(gains: Sequence[float]) -> str:
    low, high = metrics.interval(gains)
    return f"[{low:+.3f}, {high:+.3f}]"


def main() -> None:
    """Print a table for each view."""
    settings, people = Settings.load(), []
    for file in event_files():
        stream = events(file, settings.zone)
        if len(stream) >= LEAST:
            with tempfile.TemporaryDirectory() as folder:
                people.append(judge(stream, settings, Path(folder)))
    print(f"## What the language model earns\n\n`.venv/bin/python bench/language_model.py FOLDER` on {machine()}.\n")
    for view in ("fine", "place") if people else ():
        print(f"{describe(people, view)}\n")


if __name__ == "__main__":
    main()
