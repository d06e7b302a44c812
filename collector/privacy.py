"""What must not be stored is changed or left out here, before the store sees it: an ordered list of small rules."""

from collections import Counter
from collections.abc import Callable, Iterable

from memo.events import Event

Rule = Callable[[Event], Event | None]
"""Gives the event as it may be stored, or None where it may not."""

RULES: tuple[tuple[str, Rule], ...] = ()
"""Name and rule, applied in this order."""


def redact(events: Iterable[Event], rules: tuple[tuple[str, Rule], ...] = RULES) -> tuple[list[Event], Counter[str]]:
    """The events that may be stored, and how many each rule changed or left out."""
    kept, touched = [], Counter[str]()
    for event in events:
        current: Event | None = event
        for name, rule in rules:
            before = current
            current = rule(before) if before is not None else None
            if current is not before:
                touched[name] += 1
        if current is not None:
            kept.append(current)
    return kept, touched
