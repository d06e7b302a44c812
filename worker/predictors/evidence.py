"""Evidence for a prediction from the past: earlier occurrences of its context and of what followed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from memo.core.events import CONTEXT, Action, Event

LONGEST = 3  # actions of the longest context that is searched for


@dataclass(frozen=True, slots=True)
class PastEvidence:
    """How often a context of latest actions occurred before, and when the predicted action followed it."""

    context: tuple[Action, ...]
    met: int
    followed: tuple[datetime, ...]  # oldest first


def find_evidence(events: Sequence[Event], predicted: Action) -> PastEvidence:
    """Return the longest context, up to `LONGEST` actions, that `predicted` followed before; else that of one action.

    `events` end where the prediction was made. Actions are compared by identity.
    """
    happened = [event for event in events if event.operation not in CONTEXT]
    names = [event.action.identity for event in happened]
    found = PastEvidence((), 0, ())
    for length in range(min(LONGEST, len(names)), 0, -1):
        context = tuple(names[-length:])
        ends = [end for end in range(length, len(names)) if tuple(names[end - length : end]) == context]
        followed = tuple(happened[end].at for end in ends if names[end] == predicted.identity)
        found = PastEvidence(context, len(ends), followed)
        if followed:
            break
    return found
