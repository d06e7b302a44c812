"""The person model: which app, site or folder comes next, which other one, and what there.

There are three rankers, each of a sequence of its own: `place` of the places of all actions, `switch` of the places
without repetitions, and `thing` of the actions themselves, which knows how likely each place is.
"""

from dataclasses import dataclass

import numpy as np

from memo.core.events import HUMAN, PROCESSES, Action, Event
from memo.core.predictions import place_of
from worker.predictors.history.candidate_ids import Ids, as_fields, from_fields
from worker.predictors.history.tables import State
from worker.predictors.learned import Learned
from worker.predictors.mixer import RankedSymbols
from worker.predictors.person import things_in_places
from worker.predictors.person.person_context import PLACE_CONTEXTS, SWITCH_CONTEXTS, THING_CONTEXTS, PersonContext
from worker.predictors.person.running_apps import RunningApps
from worker.predictors.person.sequence_ranker import START, SequenceRanker
from worker.predictors.person.symbol_table import NEW, SymbolTable
from worker.predictors.person.things_in_places import ThingsInPlaces

RUNNING = {"started": START, "ended": -START}  # columns of places, with their initial weights
THINGS = dict.fromkeys(things_in_places.COLUMNS, START)
FLOOR = 1e-6  # least probability of a place in the mean of two rankers
MOST_THINGS = 4_096  # of more, the half that came most lately is kept
MOST_CHARACTERS = 500_000  # of the names of all things; of more, the same


PlaceName = tuple[str, str]
"""Operation and name of a place."""


@dataclass(frozen=True, slots=True)
class Rankings:
    """The rankings of what follows an action; `switch` is made on arrival only."""

    place: RankedSymbols
    switch: RankedSymbols | None
    thing: RankedSymbols


class PersonModel(Learned):
    """Learns a person's actions, and answers what comes next."""

    LEARNED = ("_place", "_switch", "_thing", "_context", "_running", "_in_places")

    def __init__(self) -> None:
        self._place_names, self._thing_names = SymbolTable(), SymbolTable()
        self._place = SequenceRanker(PLACE_CONTEXTS, RUNNING)
        self._switch = SequenceRanker(SWITCH_CONTEXTS, RUNNING, leaves=True)
        self._thing = SequenceRanker(THING_CONTEXTS, THINGS)
        self._context, self._running, self._in_places = PersonContext(), RunningApps(), ThingsInPlaces()
        self._rankings: Rankings | None = None  # of what follows the last action

    def learn(self, event: Event, ranks: bool = True) -> None:
        """Learn the next event.

        Weights and hit rates learn from what follows a ranking. So each action is followed by one, unless `ranks` is
        False: then it is only counted, which takes a tenth of the time.
        """
        if event.operation in HUMAN:
            self._learn_action(event)
        if event.operation in HUMAN | PROCESSES:
            self._running.learn(event)
        if event.operation in HUMAN:
            self._rankings = self._rank() if ranks else None

    def _learn_action(self, event: Event) -> None:
        action, at = event.action, event.at.timestamp()
        place, thing = self._place_names.add(action.coarse), self._thing_names.add(action.identity)
        left = self._context.last_thing
        arrives = self._context.advance(self._place_names.keys[place], self._thing_names.keys[thing], at, event.at.hour)
        begins_session = self._context.begins_session
        if arrives:
            # What a title leads to is learned when its place is left: it counts the last title there.
            self._switch.features.replace_key("last_thing", left)
            self._switch.learn(place, at, self._context.for_places(), begins_session)
        self._place.learn(place, at, self._context.for_places(), begins_session)
        self._in_places.learn(thing, place)
        self._thing.learn(thing, at, self._context.for_thing(), begins_session)
        if len(self._thing_names) > MOST_THINGS or self._thing_names.characters > MOST_CHARACTERS:
            self._forget_oldest()

    @property
    def last(self) -> Action | None:
        """The last action, as its identity."""
        return self._thing_names.names[self._thing.features.last] if self._context.run else None

    def places(self) -> list[tuple[Action, float]]:
        """Return all places that may come next, likeliest first; none before the first ranking."""
        return _best_first(self._place_names, self._mixed_places(self._rankings) if self._rankings else {})

    def things(self) -> list[tuple[Action, float]]:
        """Return all actions, as identities, that may come next, likeliest first; none before the first ranking."""
        return _best_first(self._thing_names, self._rankings.thing.by_symbol() if self._rankings else {})

    def place_reasons(self, first: PlaceName, second: PlaceName) -> dict[str, float]:
        """Return, by column, the nats by which a place is ahead of another, by both rankers where both rank them."""
        symbols = [self._find_place(name) for name in (first, second)]
        found, others = self._place.reasons(*symbols), self._switch.reasons(*symbols)
        if not found or not others or self._rankings is None or self._rankings.switch is None:
            return found
        return {name: (found.get(name, 0.0) + others.get(name, 0.0)) / 2 for name in found | others}

    def thing_reasons(self, first: Action, second: Action) -> dict[str, float]:
        """Return, by column, the nats by which an action is ahead of another."""
        return self._thing.reasons(*(self._thing_names.find(action.identity) for action in (first, second)))

    def _find_place(self, name: PlaceName) -> int | None:
        known = enumerate(self._place_names.names)
        return next((symbol for symbol, place in known if symbol != NEW and place_of(place) == name), None)

    def _rank(self) -> Rankings:
        """Return the rankings of what follows the last action."""
        here = self._place.features.last
        gate = str(self._place_names.keys[here])
        switch = self._rank_places(self._switch, gate) if self._context.run == 1 else None
        place = self._rank_places(self._place, gate)
        symbols = self._thing.features.candidates()
        columns = self._in_places.columns(symbols, self._thing.features.last, place.by_symbol(), place.new)
        return Rankings(place, switch, self._thing.rank(symbols, columns, gate))

    def _rank_places(self, ranker: SequenceRanker, gate: str) -> RankedSymbols:
        symbols = ranker.features.candidates()
        names = [self._place_names.names[symbol] for symbol in (*symbols, NEW)]
        return ranker.rank(symbols, self._running.columns(names, self._context.at), gate)

    def _mixed_places(self, rankings: Rankings) -> dict[int, float]:
        """Return the probability of each place: whether the person leaves by `place`, where to by both rankers."""
        here = self._place.features.last
        others = rankings.place.by_symbol()
        stays = others.pop(here, 0.0)
        leaves = max(1e-9, 1 - stays)
        if rankings.switch is not None:
            others = _mean({symbol: p / leaves for symbol, p in others.items()}, rankings.switch.by_symbol())
            others = {symbol: p * leaves for symbol, p in others.items()}
        return {here: stays} | others

    def _forget_oldest(self) -> None:
        """Keep the half of all things that came most lately, and their places."""
        things, characters = [NEW], 0
        for thing in self._thing.features.latest():
            characters += sum(map(len, self._thing_names.names[thing]))
            if len(things) > MOST_THINGS // 2 or characters > MOST_CHARACTERS // 2:
                break
            things.append(thing)
        places = {self._in_places.place_of[thing] for thing in things}
        self._keep(np.array(sorted(things)), np.array(sorted(places)))

    def _keep(self, things: Ids, places: Ids) -> None:
        """Keep these things and places only, which are renumbered in their order."""
        self._thing_names, self._place_names = self._thing_names.keep(things), self._place_names.keep(places)
        self._in_places.keep(things, places)
        self._thing.keep(things)
        self._place.keep(places)
        self._switch.keep(places)

    def state(self) -> State:
        """Return everything learned, without the rankings that await their outcome."""
        return super().state() | {
            "place_names": [as_fields(name) for name in self._place_names.names[1:]],
            "thing_names": [as_fields(name) for name in self._thing_names.names[1:]],
        }

    def restore(self, state: State) -> None:
        """Replace everything learned by a `state`."""
        super().restore(state)
        self._place_names = SymbolTable(map(from_fields, state["place_names"]))
        self._thing_names = SymbolTable(map(from_fields, state["thing_names"]))
        place, switch, thing = self._place.ranked, self._switch.ranked, self._thing.ranked
        if place and thing:
            self._rankings = Rankings(place, switch if self._context.run == 1 else None, thing)


def _mean(one: dict[int, float], other: dict[int, float]) -> dict[int, float]:
    """Return the geometric mean of two distributions; it sums to the arithmetic mean of their sums."""
    product = {key: max(one.get(key, 0.0), FLOOR) * max(other.get(key, 0.0), FLOOR) for key in one | other}
    known, total = (sum(one.values()) + sum(other.values())) / 2, sum(p**0.5 for p in product.values())
    return {key: known * p**0.5 / total for key, p in product.items()}


def _best_first(names: SymbolTable, probabilities: dict[int, float]) -> list[tuple[Action, float]]:
    best = sorted(probabilities.items(), key=lambda entry: -entry[1])
    return [(names.names[symbol], probability) for symbol, probability in best]
