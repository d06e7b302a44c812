"""Things in their places: which came last in each place, what followed it there, and how often something was new."""

import math
from collections import Counter
from collections.abc import Mapping
from itertools import islice

import numpy as np

from worker.predictors.history.candidate_ids import Ids
from worker.predictors.history.tables import Array, State
from worker.predictors.person.symbol_table import NEW

COLUMNS = ("place", "recency_in_place", "same_place", "successor_in_place", "new_in_place", "same")
DEEP = 100  # higher recency ranks in a place are equal
FOLLOWED = 8  # latest successors of a thing that count
NEW_WEIGHT = 3  # weight of the rate of new things in all places in that of one place, in actions
FLOOR = 1e-4  # added to the probability of a place, so that its logarithm is finite


class ThingsInPlaces:
    """The place of each thing; and of each place its things, actions, and actions that were new."""

    def __init__(self) -> None:
        self.place_of = [NEW]  # by thing
        self._things: dict[int, dict[int, None]] = {}  # by place; the thing that came last is at the end
        self._followed: dict[int, list[int]] = {}  # by thing, newest last
        self._counts: dict[int, list[int]] = {}  # by place: its actions, and how many of them were new
        self._all_actions = self._all_new = 0

    def learn(self, thing: int, place: int) -> None:
        """Count the next thing, and its place."""
        is_new = thing == len(self.place_of)
        if is_new:
            self.place_of.append(place)
        things = self._things.setdefault(place, {})
        if things:
            followed = self._followed.setdefault(next(reversed(things)), [])
            followed.append(thing)
            del followed[:-FOLLOWED]
        things.pop(thing, None)
        things[thing] = None
        counts = self._counts.setdefault(place, [0, 0])
        counts[0] += 1
        counts[1] += is_new
        self._all_actions += 1
        self._all_new += is_new

    def columns(self, things: Ids, last: int, places: dict[int, float], new_place: float) -> Array:
        """Return the columns `COLUMNS` of things and, in the last row, of a new one.

        `last` is the thing that came last; `places` and `new_place` are the probabilities of the next place.
        """
        names = things.tolist()
        at = [self.place_of[thing] for thing in names]
        ranks, (shares, rare) = self._ranks(set(names), Counter(at)), self._shares(set(at))
        columns = {name: np.zeros(len(names) + 1) for name in COLUMNS}
        columns["place"][:-1] = np.log([places.get(place, 0.0) + FLOOR for place in at])
        columns["recency_in_place"][:-1] = -np.log([ranks.get(thing, DEEP + 1) for thing in names])
        columns["same_place"][:-1] = np.array(at) == self.place_of[last]
        columns["successor_in_place"][:-1] = np.log(
            [shares.get(thing, rare[place]) for thing, place in zip(names, at, strict=True)]
        )
        columns["new_in_place"][-1] = self._log_new(places, new_place)
        columns["same"][:-1] = things == last
        return np.column_stack(list(columns.values()))

    def _ranks(self, things: set[int], places: Mapping[int, int]) -> dict[int, int]:
        """Return the recency rank of each thing in its place, from 1 to `DEEP`; `places` counts the things in each."""
        ranks = {}
        for place, left in places.items():
            for rank, thing in enumerate(islice(reversed(self._things[place]), DEEP), 1):
                if thing in things:
                    ranks[thing] = rank
                    left -= 1
                    if not left:
                        break
        return ranks

    def _shares(self, places: set[int]) -> tuple[dict[int, float], dict[int, float]]:
        """Return how often each thing followed what came last in its place, as a multiple of an equal share.

        The second dictionary holds, by place, this value of all things that never followed there.
        """
        shares: dict[int, float] = {}
        rare: dict[int, float] = {}
        for place in places:
            known = self._things[place]
            followed = self._followed.get(next(reversed(known)), [])
            each = len(known) / (len(followed) + 0.2 * len(known))
            shares |= {thing: (followed.count(thing) + 0.2) * each for thing in followed}
            rare[place] = 0.2 * each
        return shares, rare

    def _log_new(self, places: dict[int, float], new_place: float) -> float:
        """Return the log-probability that the next thing is new, where `places` are those of the next place."""
        rate = (self._all_new + 0.5) / (self._all_actions + 1)
        counts = ((probability, *self._counts[place]) for place, probability in places.items())
        known = sum(p * ((new + NEW_WEIGHT * rate) / (actions + NEW_WEIGHT)) for p, actions, new in counts)
        return math.log(new_place + known)

    def keep(self, things: Ids, places: Ids) -> None:
        """Keep these things and places only, which are renumbered in their order."""
        thing_numbers = {thing: number for number, thing in enumerate(things.tolist())}
        place_numbers = {place: number for number, place in enumerate(places.tolist())}
        self.place_of = [place_numbers[self.place_of[thing]] for thing in thing_numbers]
        self._things = {
            place_numbers[place]: {thing_numbers[thing]: None for thing in known if thing in thing_numbers}
            for place, known in self._things.items()
            if place in place_numbers
        }
        self._followed = {
            thing_numbers[thing]: [thing_numbers[other] for other in followed if other in thing_numbers]
            for thing, followed in self._followed.items()
            if thing in thing_numbers
        }
        self._counts = {place_numbers[place]: n for place, n in self._counts.items() if place in place_numbers}

    def state(self) -> State:
        """Return everything as JSON."""
        return {
            "place_of": np.array(self.place_of, np.int32),
            "things": [[place, list(things), *self._counts[place]] for place, things in self._things.items()],
            "followed": [[thing, followed] for thing, followed in self._followed.items()],
            "all": [self._all_actions, self._all_new],
        }

    def restore(self, state: State) -> None:
        """Replace everything by that of a `state`."""
        self.place_of = state["place_of"].tolist()
        self._things = {place: dict.fromkeys(things) for place, things, _, _ in state["things"]}
        self._counts = {place: counts for place, _, *counts in state["things"]}
        self._followed = dict(state["followed"])
        self._all_actions, self._all_new = state["all"]
