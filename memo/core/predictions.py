"""Predictions: ranked candidates with probabilities, and upcoming actions."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from memo.core.events import Action, Event, Operation
from memo.core.grammar import Language, write_line

BUILTIN = "builtin"  # the version of a new installation: the built-in base model with its adapter
HISTORY = "history"  # no version: it stands for predictions without a language model
HORIZON_S = 600  # how far `upcoming` looks ahead
LISTED = 50  # most places, and most actions of the person, in an answer
QUIET_S = 60  # a site, a file or a started app is in use for this time after it was seen
OPENED = frozenset({Operation.PROCESS_START, Operation.WEB_VISIT, Operation.FILE_ACCESS})  # what MEMO can open
UPCOMING_OPERATIONS = OPENED | {Operation.WINDOW_FOCUS}


class Answer(StrEnum):
    """A person's reply to a suggestion."""

    YES = "yes"
    NO = "no"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An action that may come next; `detail` is the latest page title or duration seen with it.

    `spread_s` is the interquartile range of its past times in seconds.
    """

    action: Action
    probability: float
    expected_at: datetime
    detail: str = ""
    executable: str = ""
    spread_s: int = 0

    def as_dict(self, language: Language) -> dict[str, Any]:
        """Return the candidate as JSON for messages and rows."""
        return {
            "text": write_line(self.expected_at, self.action, language, self.detail),
            "probability": round_down(self.probability),
            "action": action_as_dict(self.action),
            "expected_at": self.expected_at.isoformat(),
            "spread_s": self.spread_s,
            "executable": self.executable,
        }


@dataclass(frozen=True, slots=True)
class Upcoming:
    """An action that may start, be visited or be opened within the horizon, independently of others."""

    action: Action
    probability: float
    detail: str = ""

    def as_dict(self, language: Language, at: datetime) -> dict[str, Any]:
        """Return the entry as JSON for messages and rows; `at` is the time of the prediction."""
        titled = self.action._replace(target=self.action.target or self.action.place)  # any window of an app: the app
        return {
            "text": write_line(at, titled, language, self.detail),
            "probability": round_down(self.probability),
            "action": action_as_dict(self.action),
            "within_s": HORIZON_S,
        }


@dataclass(frozen=True, slots=True)
class NextPlace:
    """A place in which the person's next action may be: an app, a site or a folder, as a coarse action."""

    place: Action
    probability: float

    def as_dict(self) -> dict[str, Any]:
        """Return the place as JSON for messages and rows."""
        operation, name = place_of(self.place)
        return {"operation": operation, "name": name, "probability": round_down(self.probability)}


@dataclass(frozen=True, slots=True)
class NextAction:
    """What the person may do next; `detail` is the latest page title seen with it."""

    action: Action
    probability: float
    detail: str = ""
    executable: str = ""

    def as_dict(self, language: Language, at: datetime) -> dict[str, Any]:
        """Return the action as JSON for messages and rows; `at` is the time of the prediction."""
        return {
            "text": write_line(at, self.action, language, self.detail),
            "probability": round_down(self.probability),
            "action": action_as_dict(self.action),
            "executable": self.executable,
        }


@dataclass(frozen=True, slots=True)
class Ranking:
    """A predictor's result, in which every list has its best entry first.

    The probabilities of `candidates` (the next event of any kind) and `new_probability` sum to at most 1, those of
    `places` (of the person's next action) and `new_place` to 1, and those of `person` (that action) to at most 1. The
    probabilities of `upcoming` are independent of each other.
    """

    candidates: list[Candidate] = field(default_factory=list)
    upcoming: list[Upcoming] = field(default_factory=list)
    new_probability: float = 0.0
    places: list[NextPlace] = field(default_factory=list)
    new_place: float = 1.0
    person: list[NextAction] = field(default_factory=list)
    with_model: bool = False  # whether a language model took part

    def without(self, is_excluded: Callable[[Action], bool]) -> "Ranking":
        """Return the ranking without actions and places that are excluded; `new_place` takes the places' share."""
        places = [one for one in self.places if not is_excluded(one.place)]
        return replace(
            self,
            candidates=[one for one in self.candidates if not is_excluded(one.action)],
            upcoming=[one for one in self.upcoming if not is_excluded(one.action)],
            places=places,
            new_place=max(0.0, 1 - sum(one.probability for one in places)),
            person=[one for one in self.person if not is_excluded(one.action)],
        )


def round_down(probability: float) -> float:
    """Return a probability with six decimals, rounded down so that a sum stays at most 1."""
    return math.floor(probability * 1e6) / 1e6


def action_as_dict(action: Action) -> dict[str, str]:
    """Return an action as JSON."""
    return {"operation": action.operation.value, "target": action.target, "place": action.place}


def wanted(action: Action) -> Action:
    """Return what is wanted when an action is done: of a window the app, else what it is counted as."""
    return action.coarse.identity if action.operation is Operation.WINDOW_FOCUS else action.identity


def in_use(done: Sequence[Event]) -> set[Action]:
    """Return what is in use after a person's latest actions: the app in front, and what was just visited or opened."""
    focused = [event for event in done if event.operation is Operation.WINDOW_FOCUS]
    others = [event for event in done if event.operation is not Operation.WINDOW_FOCUS]
    lately = [event for event in others if 0 <= (done[-1].at - event.at).total_seconds() <= QUIET_S]
    return {wanted(event.action) for event in (*focused[-1:], *lately)}


def place_of(action: Action) -> tuple[str, str]:
    """Return operation and name of the place of an action: its app, site or folder, else its target."""
    return action.operation.value, action.coarse.place or action.coarse.target


def first_in_places(actions: Iterable[Action]) -> dict[tuple[str, str], Action]:
    """Return for each place the first of these actions there."""
    return {place_of(action): action for action in reversed(list(actions))}


def place_from_dict(given: dict[str, Any]) -> tuple[str, str]:
    """Return operation and name of the place that `NextPlace.as_dict` wrote."""
    return given["operation"], given["name"]


def place_as_action(given: dict[str, Any]) -> Action:
    """Return a place that `NextPlace.as_dict` wrote as an action: any in the app or folder, or a visit of the site."""
    operation, name = place_from_dict(given)
    holds_others = operation in (Operation.WINDOW_FOCUS, Operation.FILE_ACCESS)
    return Action(Operation(operation), "", name) if holds_others else Action(Operation(operation), name)


def place_as_entries(given: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a place that `NextPlace.as_dict` wrote as two entries: an action with its name as target, one as place."""
    operation, name = place_from_dict(given)
    actions = Action(Operation(operation), name), Action(Operation(operation), "", name)
    return [{"action": action_as_dict(action)} for action in actions]


def action_from_dict(given: dict[str, str]) -> Action:
    """Return the action that `action_as_dict` wrote."""
    return Action(Operation(given["operation"]), given["target"], given["place"])
