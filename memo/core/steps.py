"""Report the progress of a long task."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Progress = Callable[[int, int], None]
"""Called with the number of steps done and the number of all steps."""
EVERY = 100  # items between two calls


def with_progress(items: Iterable[Item], total: int, progress: Progress) -> Iterator[Item]:
    """Yield the items, and report how many of them have been taken."""
    for number, item in enumerate(items, 1):
        if number % EVERY == 0:
            progress(number, total)
        yield item
    progress(total, total)
