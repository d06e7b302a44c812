"""A dictionary of bounded size."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BoundedDict(OrderedDict[Key, Value]):
    """A dictionary that evicts the entry set or moved longest ago once it holds more than `limit` (None: no limit)."""

    limit: int | None = None

    def __init__(self, limit: int | None, entries: Mapping[Key, Value] | None = None) -> None:
        super().__init__()
        put = super().__setitem__  # not that of this class: there may be thousands of entries
        for key, value in (entries or {}).items():
            put(key, value)
        self.limit = limit

    def __setitem__(self, key: Key, value: Value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if self.limit is not None and len(self) > self.limit:
            self.popitem(last=False)

    def latest(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the entry of a key, which becomes the latest one; it is made if there is none."""
        if key in self:
            self.move_to_end(key)
        else:
            self[key] = make()
        return self[key]
