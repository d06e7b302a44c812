"""Outcomes: what really came after a prediction, the next event of any kind and the person's next action."""

from collections.abc import Callable, Sequence

from db.intake import events
from db.models import EventRow, PredictionRow
from memo.core.events import CONTEXT, HUMAN, Action, Operation
from memo.core.predictions import action_as_dict, action_from_dict, place_from_dict, place_of

Waiting = list[tuple[PredictionRow, int]]
"""Predictions that await an outcome, oldest first, each with the `seq` of the event that it follows."""


def settle(waiting: Waiting, row: EventRow) -> tuple[Waiting, list[PredictionRow]]:
    """Record an event as the outcome of all predictions made before it; return those that still wait, and those."""
    if Operation(row.operation) in CONTEXT:
        return waiting, []
    action = action_as_dict(events.as_event(row).action)
    settled = [prediction for prediction, seq in waiting if seq < row.seq]
    for prediction in settled:
        prediction.outcome_event_id = row.id
        prediction.outcome_operation, prediction.outcome_target = row.operation, row.target
        prediction.outcome_rank = _rank(action, [candidate["action"] for candidate in prediction.candidates])
    return [entry for entry in waiting if entry[1] >= row.seq], settled


def is_act(action: Action, last: Action | None, focused: Action | None) -> bool:
    """Return whether the person did something new: an action after their `last` one, which has another target.

    Another title of the app that is `focused` is none, whatever came between: programs change their titles by
    themselves.
    """
    if action.operation not in HUMAN:
        return False
    if action.operation is Operation.WINDOW_FOCUS:
        return focused is None or action.coarse != focused.coarse
    return last is None or action.identity != last.identity


class Unjudged:
    """Predictions that await the person's next action; those that are stored are read by `find` at the first act only.

    Where it `is_live`, a prediction that was made after the act had been stored is late: nobody could see it before.
    """

    def __init__(self, find: Callable[[], Waiting], is_live: bool) -> None:
        self._find: Callable[[], Waiting] | None = find
        self._waiting: Waiting = []
        self._is_live = is_live

    def add(self, made: PredictionRow, seq: int) -> None:
        """Await the person's next action after the event `seq`, too."""
        self._waiting.append((made, seq))

    def judge(self, row: EventRow, last: Action | None, focused: Action | None) -> list[PredictionRow]:
        """Record an event, if it is an act, as the outcome of the newest prediction before it; return what changed.

        `last` is the person's action before, and `focused` their last focus. Earlier predictions were superseded.
        """
        if not is_act(events.as_event(row).action, last, focused):
            return []
        if self._find is not None:
            self._waiting = [*self._find(), *self._waiting]
            self._find = None
        earlier = [prediction for prediction, seq in self._waiting if seq < row.seq]
        self._waiting = [entry for entry in self._waiting if entry[1] >= row.seq]
        changed = []
        for prediction in reversed(earlier):
            changed.append(prediction)
            prediction.is_late = self._is_live and prediction.made_at >= row.stored_at
            if not prediction.is_late:
                _record_act(prediction, row, last)
                break
        return changed


def _record_act(prediction: PredictionRow, row: EventRow, last: Action | None) -> None:
    action = events.as_event(row).action
    prediction.person_event_id = row.id
    left = place_of(last) if last is not None and place_of(last) != place_of(action) else None
    places = map(place_from_dict, prediction.places)
    prediction.place_rank = _rank(place_of(action), [place for place in places if place != left])
    actions = (action_from_dict(entry["action"]) for entry in prediction.person)
    prediction.person_rank = _rank(action.identity, [one.identity for one in actions if place_of(one) != left])


def _rank(truth: object, ranking: Sequence[object]) -> int | None:
    return ranking.index(truth) + 1 if truth in ranking else None
