"""Why a prediction puts one action before another: predictors, contexts and past moments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from memo.core.events import CONTEXT, Action, Event

LONGEST = 3
"""Actions of the context that is searched for in the past."""
SHOWN = 3
"""PastEvidence moments that are named."""


@dataclass(frozen=True, slots=True)
class PastEvidence:
    """How often the latest actions came before in this order, and when the predicted one followed them."""

    context: tuple[Action, ...]
    met: int
    followed: tuple[datetime, ...]
    """Oldest first."""


def find_evidence(events: Sequence[Event], predicted: Action) -> PastEvidence:
    """The longest context, of at most `LONGEST` actions, that `predicted` has followed before; of one, if it never has.

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
