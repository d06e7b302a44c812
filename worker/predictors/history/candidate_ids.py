"""Numbers for what can come: each action that was seen, and "something new" of each kind."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from memo.core.events import Action, Operation

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Unseen:
    """An action that was not seen before: in an app or folder that was, or, without `place`, elsewhere."""

    operation: Operation
    place: str = ""


class CandidateIds:
    """An action's symbol is that of its identity. Beside it stand its operation, app and coarse form, numbered too."""

    def __init__(self) -> None:
        self.names: list[Action | Unseen] = []
        """Identities, by symbol."""
        self._index: dict[Action | Unseen, int] = {}
        self._coarse: dict[Action | Unseen, int] = {}
        self._operations: dict[Operation, int] = {}
        self._apps: dict[str, int] = {}
        self._columns = np.zeros((4, 64), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def coarse(self) -> Ids:
        """Coarse form of each symbol."""
        return self._columns[0, : len(self)]

    @property
    def operation(self) -> Ids:
        """Operation of each symbol."""
        return self._columns[1, : len(self)]

    @property
    def app(self) -> Ids:
        """App of each symbol, or what stands for it: the web, files."""
        return self._columns[2, : len(self)]

    @property
    def unseen(self) -> npt.NDArray[np.bool_]:
        """Whether a symbol is "something new"."""
        return self._columns[3, : len(self)] > 0

    @property
    def kinds(self) -> tuple[int, int]:
        """How many coarse forms and operations there are."""
        return len(self._coarse), len(self._operations)

    def find(self, action: Action) -> int | None:
        """The symbol of an action that was seen."""
        return self._index.get(action.identity)

    def outcome(self, action: Action) -> int | None:
        """The symbol that came true with an action: its own, or "something new" of its kind."""
        found = self.find(action)
        if found is not None:
            return found
        there = self._index.get(Unseen(action.operation, action.coarse.place)) if action.coarse != action else None
        return there if there is not None else self._index.get(Unseen(action.operation))

    def app_number(self, name: str) -> int:
        """The number of an app; -1 where none of its actions was seen."""
        return self._apps.get(name.lower(), -1)

    def add(self, action: Action) -> tuple[int, int | None]:
        """The symbol of an action, and, where it is new, of the "something new" that came true."""
        found = self.find(action)
        if found is not None:
            return found, None
        identity = action.identity
        elsewhere = self._add(Unseen(action.operation))
        known_place = identity.coarse in self._coarse
        symbol = self._add(identity)
        there = self._add(Unseen(action.operation, identity.place)) if identity.coarse != identity else elsewhere
        return symbol, there if known_place else elsewhere

    def _add(self, name: Action | Unseen) -> int:
        if name in self._index:
            return self._index[name]
        symbol = self._index[name] = len(self.names)
        if symbol == self._columns.shape[1]:
            self._columns = np.hstack([self._columns, np.zeros_like(self._columns)])
        self.names.append(name)
        coarse = Action(name.operation, "", name.place) if name.place else name
        self._columns[:, symbol] = (
            self._coarse.setdefault(coarse.coarse if isinstance(coarse, Action) else coarse, len(self._coarse)),
            self._operations.setdefault(name.operation, len(self._operations)),
            self._apps.setdefault(_app(name), len(self._apps)),
            isinstance(name, Unseen),
        )
        return symbol


def _app(name: Action | Unseen) -> str:
    match name:
        case Unseen(_, ""):
            return ""
        case Action(Operation.WINDOW_FOCUS) | Unseen(Operation.WINDOW_FOCUS):
            return name.place.lower()
        case Action(Operation.PROCESS_START | Operation.PROCESS_END | Operation.APP_USAGE, target):
            return target.lower()
        case _:
            return name.operation.value
