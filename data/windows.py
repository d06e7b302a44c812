"""Windows of event lines, and the stream that a list of overlapping windows came from."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

WindowedPair = tuple[Sequence[str], str]
"""A window's input lines and the line that came next."""


class Fed(NamedTuple):
    """A window, and the lines of its input that are new since the previous window."""

    new: Sequence[str]
    inputs: Sequence[str]
    output: str


def feed(pairs: Iterable[WindowedPair]) -> Iterator[Fed]:
    """Yield each window with its new lines: `new` and then `output`, window by window, are the stream.

    A line that repeats is kept as often as the overlap shows.
    """
    tail: list[str] = []
    for inputs, output in pairs:
        lines = list(inputs)
        known = next((n for n in range(min(len(tail), len(lines)), 0, -1) if tail[-n:] == lines[:n]), 0)
        yield Fed(lines[known:], lines, output)
        tail = [*tail, *lines[known:], output][-len(lines) - 1 :]


def stream(pairs: Iterable[WindowedPair]) -> list[str]:
    """Return all lines of the stream, in order."""
    return [line for fed in feed(pairs) for line in (*fed.new, fed.output)]
