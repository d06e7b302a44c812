"""Evidence for a prediction from the past: earlier occurrences of its context and of what followed."""

from collections.abc import Sequence
from dataclasses import dataclass

from memo.core.events import Action

LONGEST = 3  # actions of the longest context that is searched for


@dataclass(frozen=True, slots=True)
class PastEvidence:
    """How often a context of latest actions occurred before, and when the predicted action followed it."""

    context: tuple[Action, ...]
    met: int
    followed: tuple[int, ...]  # positions of the predicted action among all


def find_evidence(actions: Sequence[Action], predicted: Action) -> PastEvidence:
    """Return the longest context, up to `LONGEST` actions, that `predicted` followed before; else that of one action.

    `actions` are identities, and end where the prediction was made.
    """
    found, ends = PastEvidence((), 0, ()), list(range(1, len(actions)))
    for length in range(1, min(LONGEST, len(actions)) + 1):
        ends = [end for end in ends if end >= length and actions[end - length] == actions[-length]]
        followed = tuple(end for end in ends if actions[end] == predicted.identity)
        if length == 1 or followed:
            found = PastEvidence(tuple(actions[-length:]), len(ends), followed)
    return found
