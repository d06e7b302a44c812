"""Two views of an answer: the next action, and its app, site or folder."""

from typing import Literal

from memo.core.events import Event
from memo.core.predictions import Ranking
from training.evaluation.baselines import NAMES, Baselines
from training.evaluation.metrics import Key, coarse_ranking, key, key_of

View = Literal["next", "coarse"]
VIEWS: tuple[View, ...] = ("next", "coarse")

Rankings = dict[View, dict[str, list[Key]]]
"""View -> name of a baseline -> its candidates."""


class ViewBaselines:
    """The baselines, separately for each view."""

    def __init__(self) -> None:
        self._views = {view: Baselines() for view in VIEWS}

    def learn(self, event: Event) -> None:
        """Learn the next event."""
        at = event.at.timestamp()
        self._views["next"].learn(key(event), at)
        self._views["coarse"].learn(key(event).coarse, at)

    def rankings(self) -> Rankings:
        """Return the present candidates of each baseline in each view."""
        return {view: {name: baselines.rank(name) for name in NAMES} for view, baselines in self._views.items()}


def answers(ranking: Ranking) -> dict[View, list[Key]]:
    """Return the model's candidates in each view."""
    every = [(key_of(entry.action, entry.detail), entry.probability) for entry in ranking.candidates]
    return {"next": [candidate for candidate, _ in every], "coarse": coarse_ranking(every)}


def truth_of(event: Event) -> dict[View, Key]:
    """Return the truth in each view where this event came."""
    return {"next": key(event), "coarse": key(event).coarse}
