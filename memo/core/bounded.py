"""Dictionaries that stay bounded."""

from collections.abc import Hashable
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def remember(store: dict[Key, Value], key: Key, value: Value, most: int | None) -> None:
    """Set an entry; above `most`, the one that was set longest ago is forgotten."""
    store.pop(key, None)
    store[key] = value
    if most is not None and len(store) > most:
        del store[next(iter(store))]
