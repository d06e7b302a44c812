"""Numbers of names, and the keys of contexts made of them."""

from collections.abc import Iterable
from hashlib import blake2b

from memo.core.events import Action, Operation
from worker.predictors.history.candidate_ids import Ids

NEW = 0  # the symbol of everything that has none
NOTHING = Action(Operation.TIME_CONTEXT, "")  # the name of `NEW`, which is no action of a person
MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15  # an odd number near 2^64 / 1.618, which spreads neighbouring keys


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
            text = f"{name.operation}\0{name.target}\0{name.place}"
            self.characters += len(text)
            self.keys.append(int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()))
        return symbol

    def keep(self, symbols: Ids) -> "SymbolTable":
        """Return a table of these symbols only, which are renumbered in their order; the first is `NEW`."""
        return SymbolTable(self.names[symbol] for symbol in symbols[1:])


def context_key(*parts: int) -> int:
    """Return one number of 64 bits for several; their order matters."""
    key = 0
    for part in parts:
        key = ((key ^ part) * GOLDEN) & MASK
        key ^= key >> 32
    return key
