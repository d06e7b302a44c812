"""Numbers of the candidates: each action seen so far, and "something new" of each kind."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from sys import intern
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from memo.core.events import ACTIONS, HUMAN, PROCESSES, Action, Operation

Ids = npt.NDArray[np.int64]


class Unseen(NamedTuple):
    """An action not seen before, in the known app or folder `place`; without a place, in no known one."""

    operation: Operation
    place: str = ""


@lru_cache(maxsize=1_024)
def stable_key(name: Action | Unseen) -> int:
    """Return a number of 64 bits that stays the same when symbols are renumbered."""
    text = "\0".join(as_fields(name))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)


class CandidateIds:
    """Numbers identities: a number is called a symbol. Operations, apps and coarse forms are numbered, too."""

    def __init__(self, names: Iterable[Action | Unseen] = ()) -> None:
        self.names: list[Action | Unseen] = []  # identities, by symbol
        self._index: dict[Action | Unseen, int] = {}
        self._coarse: dict[Action | Unseen, int] = {}
        self._operations: dict[Operation, int] = {}
        self._apps: dict[str, int] = {}
        self._columns = np.zeros((7, 64), dtype=np.int64)
        self.keys: list[tuple[int, int, int]] = []  # of each symbol, its coarse form and its operation
        for name in names:
            self._add(name)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def coarse(self) -> Ids:
        """The number of each symbol's coarse form."""
        return self._columns[0, : len(self)]

    @property
    def operation(self) -> Ids:
        """The number of each symbol's operation."""
        return self._columns[1, : len(self)]

    @property
    def app(self) -> Ids:
        """The number of each symbol's app; web visits count as one app, and so do files."""
        return self._columns[2, : len(self)]

    @property
    def unseen(self) -> npt.NDArray[np.bool_]:
        """Whether each symbol is "something new"."""
        return self._columns[3, : len(self)] > 0

    @property
    def human(self) -> npt.NDArray[np.bool_]:
        """Whether a person does it."""
        return self._columns[4, : len(self)] > 0

    @property
    def process(self) -> npt.NDArray[np.bool_]:
        """Whether each symbol is the start or end of a process."""
        return self._columns[5, : len(self)] > 0

    @property
    def placeless(self) -> npt.NDArray[np.bool_]:
        """Whether each symbol names no place."""
        return self._columns[6, : len(self)] > 0

    def spread(self, values: Mapping[Action, float], missing: float) -> npt.NDArray[np.float64]:
        """Return the value of each symbol, or `missing`, given those of identities, of which some may have none."""
        spread = np.full(len(self), missing)
        for name, value in values.items():
            if (symbol := self._index.get(name)) is not None:
                spread[symbol] = value
        return spread

    @property
    def kinds(self) -> tuple[int, int]:
        """The number of coarse forms and the number of operations."""
        return len(self._coarse), len(self._operations)

    def kinds_of(self, symbol: int) -> tuple[int, int]:
        """Return the number of a symbol's coarse form and that of its operation."""
        coarse, operation = self._columns[:2, symbol].tolist()
        return coarse, operation

    def keep(self, symbols: Ids) -> "CandidateIds":
        """Return numbers of these symbols only, in their order."""
        return CandidateIds(self.names[symbol] for symbol in symbols)

    def find(self, action: Action) -> int | None:
        """Return the symbol of an action, or None if it was never seen."""
        return self._index.get(action.identity)

    def outcome(self, action: Action) -> int | None:
        """Return the symbol that came true with an action: its own, else "something new" of its kind."""
        symbol = self.find(action)
        if symbol is None and action.coarse != action:
            symbol = self._index.get(Unseen(action.operation, action.coarse.place))
        return self._index.get(Unseen(action.operation)) if symbol is None else symbol

    def app_number(self, name: str) -> int:
        """Return the number of an app, or -1 if none of its actions was seen."""
        return self._apps.get(name.lower(), -1)

    def add(self, action: Action) -> tuple[int, int | None]:
        """Return the symbol of an action and, if the action is new, the "something new" that came true with it."""
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
        coarse = Action(name.operation, "", name.place).coarse if name.place else name
        self.keys.append((stable_key(name), stable_key(coarse), ACTIONS.index(name.operation)))
        self._columns[:, symbol] = (
            self._coarse.setdefault(coarse, len(self._coarse)),
            self._operations.setdefault(name.operation, len(self._operations)),
            self._apps.setdefault(_app(name), len(self._apps)),
            isinstance(name, Unseen),
            name.operation in HUMAN,
            name.operation in PROCESSES,
            not name.place,
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


def as_fields(name: Action | Unseen) -> list[str]:
    """Return a name as JSON: three fields for an action, two for something unseen."""
    return [name.operation.value, *name[1:]]


def from_fields(fields: Sequence[str]) -> Any:
    """Return the name that `as_fields` wrote; equal texts share memory."""
    make = Action if len(fields) == len(Action._fields) else Unseen
    return make(Operation(fields[0]), *map(intern, fields[1:]))
