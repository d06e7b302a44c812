"""A dictionary of bounded size."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BoundedDict(dict[Key, Value]):
    """A dictionary that evicts the entry set longest ago once it holds more than `limit` (None: no limit)."""

    limit: int | None = None

    def __init__(self, limit: int | None, entries: Mapping[Key, Value] | None = None) -> None:
        super().__init__(entries or {})
        self.limit = limit

    def __setitem__(self, key: Key, value: Value) -> None:
        self.pop(key, None)
        super().__setitem__(key, value)
        if self.limit is not None and len(self) > self.limit:
            del self[next(iter(self))]
