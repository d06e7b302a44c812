"""Learned state: what a part of a predictor gives to a snapshot, and takes back from it."""

from copy import copy
from typing import Any, ClassVar

from worker.predictors.history.tables import State


class Learned:
    """A part of a predictor. Its attributes `LEARNED` are numbers, texts, arrays, tuples, or such parts themselves."""

    LEARNED: ClassVar[tuple[str, ...]]

    def state(self) -> State:
        """Return what was learned."""
        return {name.lstrip("_"): _state_of(getattr(self, name)) for name in self.LEARNED}

    def restore(self, state: State) -> None:
        """Replace what was learned by a `state`. Raises an exception of any kind if it is malformed."""
        for name in self.LEARNED:
            part, saved = getattr(self, name), state[name.lstrip("_")]
            if hasattr(part, "restore"):
                part.restore(saved)
            else:
                setattr(self, name, tuple(saved) if isinstance(part, tuple) else copy(saved))


def _state_of(part: Any) -> Any:
    if hasattr(part, "state"):
        return part.state()
    return list(part) if isinstance(part, tuple) else part
