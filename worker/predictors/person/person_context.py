"""The context of a person's next action: where they are, since when, and where they came from."""

from bisect import bisect
from typing import Any

SESSION_S = 900  # a longer pause between two actions begins a session
PAUSES_S = (2, 10, 60, 300, 900, 3_600)  # bounds of the kinds of pauses between two actions
STAYS_S = (1, 5, 20, 60, 300, 900)  # bounds of the kinds of stays in a place
LONG_RUN = 3  # longer runs of actions in one place count as this one
HOURS = 6  # hours of each part of the day

# The contexts of each ranker, with the decay of earlier occurrences.
PLACE_CONTEXTS = {
    "last": 1.0,
    "last_two": 0.97,
    "last_three_and_run": 0.95,
    "last_thing": 0.6,
    "last_thing_and_run": 0.95,
    "last_and_pause": 0.95,
    "last_and_hours": 0.95,
}
SWITCH_CONTEXTS = {
    "last": 1.0,
    "last_lately": 0.5,
    "last_two": 1.0,
    "before_last": 0.95,
    "last_and_stay_before": 0.95,
    "last_thing": 0.95,
    "last_and_hours": 0.95,
}
THING_CONTEXTS = {
    "last": 1.0,
    "last_lately": 0.5,
    "last_two": 0.7,
    "last_three": 0.95,
    "last_place": 0.97,
    "before_last": 0.95,
}


class PersonContext:
    """A function of the latest actions. Places and things are given by their keys, 0 where there is none."""

    def __init__(self) -> None:
        self.at = 0.0  # time of the last action, in seconds
        self.run = 0  # actions in the present place since the person came
        self.begins_session = False  # whether the last action began one
        self._arrived = 0.0
        self._pause_s = self._stay_s = 0.0  # before the last action, and in the place before this one
        self._hours = 0
        self._places = [0] * 3  # latest first, without repetitions
        self._things = [0] * 3  # latest first

    def advance(self, place: int, thing: int, at: float, hour: int) -> bool:
        """Move on to an action; return whether the person arrived at another place with it."""
        arrives = place != self._places[0]
        self._pause_s = at - self.at if self.run else 0.0
        self.begins_session = self._pause_s > SESSION_S
        if arrives:
            self._stay_s = at - self._arrived if self.run else 0.0
            self._places = [place, *self._places[:2]]
            self._arrived = at
        self.run = 1 if arrives else self.run + 1
        self._things = [thing, *self._things[:2]]
        self.at, self._hours = at, hour // HOURS
        return arrives

    @property
    def last_thing(self) -> int:
        """The key of the last action."""
        return self._things[0]

    def for_places(self) -> dict[str, int]:
        """Return the key of each context of the next place, and of the next other one."""
        here, before, long_before = self._places
        run = min(self.run, LONG_RUN)
        return {
            "last": here,
            "last_lately": here,
            "last_two": hash((here, before)),
            "last_three_and_run": hash((here, before, long_before, run)),
            "before_last": before,
            "last_thing": self.last_thing,
            "last_thing_and_run": hash((self.last_thing, run)),
            "last_and_pause": hash((here, bisect(PAUSES_S, self._pause_s))),
            "last_and_stay_before": hash((here, bisect(STAYS_S, self._stay_s))),
            "last_and_hours": hash((here, self._hours)),
        }

    def for_thing(self) -> dict[str, int]:
        """Return the key of each context of the next action."""
        last, before, _ = self._things
        return {
            "last": last,
            "last_lately": last,
            "last_two": hash((last, before)),
            "last_three": hash(tuple(self._things)),
            "last_place": self._places[0],
            "before_last": before,
        }

    def state(self) -> dict[str, Any]:
        """Return where the context stands, as JSON."""
        return dict(vars(self))

    def restore(self, state: dict[str, Any]) -> None:
        """Move to where a `state` stands."""
        vars(self).update(state)
