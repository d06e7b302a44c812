"""Numbers of names."""

from collections.abc import Iterable

from memo.core.events import Action, Operation
from worker.predictors.history.candidate_ids import Ids, stable_key

NEW = 0  # the symbol of everything that has none
NOTHING = Action(Operation.TIME_CONTEXT, "")  # the name of `NEW`, which is no action of a person


class SymbolTable:
    """Numbers actions from 1 on. Each has a key of 64 bits, too, which stays the same when symbols are renumbered."""

    def __init__(self, names: Iterable[Action] = ()) -> None:
        self.names = [NOTHING]
        self.keys = [0]
        self.characters = 0  # of all names
        self._index: dict[Action, int] = {}
        for name in names:
            self.add(name)

    def __len__(self) -> int:
        return len(self.names)

    def add(self, name: Action) -> int:
        """Return the symbol of a name, which gets one if it has none."""
        symbol = self._index.get(name)
        if symbol is None:
            symbol = self._index[name] = len(self.names)
            self.names.append(name)
            self.characters += sum(map(len, name))
            self.keys.append(stable_key(name))
        return symbol

    def find(self, name: Action) -> int | None:
        """Return the symbol of a name, or None if it has none."""
        return self._index.get(name)

    def keep(self, symbols: Ids) -> "SymbolTable":
        """Return a table of these symbols only, which are renumbered in their order; the first is `NEW`."""
        return SymbolTable(self.names[symbol] for symbol in symbols[1:])
