"""Running apps, as far as process events tell: those that started lately, and those that ended."""

from collections.abc import Sequence

import numpy as np

from memo.core.bounded import BoundedDict
from memo.core.events import Action, Event, Operation
from worker.predictors.history.tables import Array, State

STARTED_S = 120  # an app started within this time has not been seen by the person yet
MOST = 500  # apps remembered of each kind
LONGEST = 200  # characters of a name that count


class RunningApps:
    """Apps that started within `STARTED_S` and apps that ended, unless the person has been there since."""

    def __init__(self) -> None:
        self._started: BoundedDict[str, float] = BoundedDict(MOST)
        self._ended: BoundedDict[str, None] = BoundedDict(MOST)

    def learn(self, event: Event) -> None:
        """Note the start or the end of an app, or that a person is there."""
        app = _name(event.app if event.operation is Operation.WINDOW_FOCUS else event.target)
        self._started.pop(app, None)
        self._ended.pop(app, None)
        if event.operation is Operation.PROCESS_START:
            self._started[app] = event.at.timestamp()
        elif event.operation is Operation.PROCESS_END:
            self._ended[app] = None

    def columns(self, places: Sequence[Action], now: float) -> Array:
        """Return whether the app of each place has just started, and whether it has ended, (places, 2)."""
        apps = [_name(place.place) if place.operation is Operation.WINDOW_FOCUS else "" for place in places]
        started = [now - self._started.get(app, -np.inf) < STARTED_S for app in apps]
        return np.column_stack([started, [app in self._ended for app in apps]]).astype(float)

    def state(self) -> State:
        """Return both kinds of apps."""
        return {"started": list(self._started.items()), "ended": list(self._ended)}

    def restore(self, state: State) -> None:
        """Replace both kinds of apps by those of a `state`."""
        self._started = BoundedDict(MOST, dict(state["started"]))
        self._ended = BoundedDict(MOST, dict.fromkeys(state["ended"]))


def _name(app: str) -> str:
    return app[:LONGEST].lower().removesuffix(".exe")
