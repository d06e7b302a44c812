"""Outcomes: what came after a prediction: the next event, the person's next action, the next thing wanted."""

from collections.abc import Callable, Sequence
from datetime import datetime

from db.intake import events
from db.intake.events import LogEntry
from db.models import PredictionRow
from memo.core.events import CONTEXT, HUMAN, Action, Operation
from memo.core.predictions import (
    HORIZON_S,
    UPCOMING_OPERATIONS,
    action_as_dict,
    action_from_dict,
    place_from_dict,
    place_of,
    wanted,
)

SHOWN = 20  # newest predictions that may be judged by what the person does next

Waiting = list[tuple[PredictionRow, int]]
"""Predictions that await an outcome, oldest first, each with the `seq` of the event that it follows."""

Shown = list[tuple[PredictionRow, int, datetime]]
"""The same, each with the time of that event, too."""


def settle(waiting: Waiting, row: LogEntry) -> tuple[Waiting, list[PredictionRow]]:
    """Record an event as the outcome of all earlier predictions; return those that still wait, and those settled."""
    if Operation(row.operation) in CONTEXT:
        return waiting, []
    came = action_as_dict(events.as_event(row).action)
    settled = [prediction for prediction, seq in waiting if seq < row.seq]
    for prediction in settled:
        prediction.outcome_event_id = row.id
        prediction.outcome_operation, prediction.outcome_target = row.operation, row.target
        listed = [candidate["action"] for candidate in prediction.candidates]
        prediction.outcome_rank = _rank(came, listed)
    return [entry for entry in waiting if entry[1] >= row.seq], settled


def is_act(action: Action, last: Action | None, focused: Action | None) -> bool:
    """Return whether the person did something new: an action after their `last` one, which has another target.

    Another title of the app that is `focused` is nothing new, whatever came between: programs change their titles by
    themselves.
    """
    if action.operation not in HUMAN:
        return False
    if action.operation is Operation.WINDOW_FOCUS:
        return focused is None or action.coarse != focused.coarse
    return last is None or action.identity != last.identity


class Unjudged:
    """Predictions that await what a person does; those that are stored are read by `find` at the first outcome only.

    An outcome is that of the newest prediction before it; earlier ones were superseded. Where it `is_live`, a
    prediction that was made after its outcome had been stored is late: nobody could see it before.
    """

    def __init__(self, find: Callable[[], Shown], is_live: bool) -> None:
        self._find: Callable[[], Shown] | None = find
        self._waiting: Shown = []
        self._is_live = is_live

    def add(self, made: PredictionRow, row: LogEntry) -> None:
        """Await the outcome of a prediction made after the event `row`, too."""
        self._waiting.append((made, row.seq, row.at))
        del self._waiting[:-SHOWN]

    def _take(self, row: LogEntry) -> tuple[list[PredictionRow], Shown]:
        """Return the late ones of the predictions before an outcome, and the newest of the others, if there is one."""
        if self._find is not None:
            self._waiting = [*self._find(), *self._waiting]
            self._find = None
        earlier = [entry for entry in self._waiting if entry[1] < row.seq]
        self._waiting = [entry for entry in self._waiting if entry[1] >= row.seq]
        late = []
        while earlier and self._is_live and earlier[-1][0].made_at >= row.stored_at:
            late.append(earlier.pop()[0])
        return late, earlier[-1:]


class UnjudgedByActs(Unjudged):
    """Predictions that await the person's next action."""

    def judge(self, row: LogEntry, last: Action | None, focused: Action | None) -> list[PredictionRow]:
        """Record an event, if it is an act, as the outcome of the newest prediction before it; return what changed.

        `last` is the person's action before, and `focused` their last focus.
        """
        if not is_act(events.as_event(row).action, last, focused):
            return []
        late, newest = self._take(row)
        for prediction in late:
            prediction.is_late = True
        for prediction, *_ in newest:
            prediction.is_late = False
            _record_act(prediction, row, last)
        return [*late, *(prediction for prediction, *_ in newest)]


class UnjudgedByWants(Unjudged):
    """Predictions that await the next thing wanted that is not in use."""

    def judge(self, row: LogEntry, is_in_use: Callable[[Action], bool]) -> list[PredictionRow]:
        """Record an event with which something not in use is wanted in the newest prediction; return what changed.

        Nothing is recorded beyond the horizon.
        """
        action = events.as_event(row).action
        if action.operation not in UPCOMING_OPERATIONS or is_in_use(action):
            return []
        _, newest = self._take(row)
        judged = [one for one, _, at in newest if 0 <= (row.at - at).total_seconds() <= HORIZON_S]
        for prediction in judged:
            prediction.upcoming_event_id = row.id
            named = [action_from_dict(entry["action"]) for entry in prediction.upcoming]
            prediction.upcoming_rank = _rank(wanted(action), named)
        return judged


def _record_act(prediction: PredictionRow, row: LogEntry, last: Action | None) -> None:
    action = events.as_event(row).action
    prediction.person_event_id = row.id
    left = place_of(last) if last is not None and place_of(last) != place_of(action) else None
    places = map(place_from_dict, prediction.places)
    prediction.place_rank = _rank(place_of(action), [place for place in places if place != left])
    actions = (action_from_dict(entry["action"]) for entry in prediction.person)
    prediction.person_rank = _rank(action.identity, [one.identity for one in actions if place_of(one) != left])


def _rank(truth: object, ranking: Sequence[object]) -> int | None:
    return ranking.index(truth) + 1 if truth in ranking else None
