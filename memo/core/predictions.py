"""Predictions: ranked candidates with probabilities, and what is upcoming."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from memo.core.events import Action, Operation
from memo.core.grammar import Language, write_line

HORIZON_S = 600
"""How far `upcoming` looks ahead, in seconds."""
QUIET_S = 60
"""What came this recently is in use, not upcoming."""
UPCOMING_OPERATIONS = frozenset({Operation.PROCESS_START, Operation.WEB_VISIT, Operation.FILE_ACCESS})
"""Operations that can be upcoming."""


class Answer(StrEnum):
    """What a person says to a suggestion."""

    YES = "yes"
    NO = "no"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One action that may come next. `detail` is the latest page title or duration seen with it.

    `spread_s` is how far apart the middle half of its past times lie, in seconds.
    """

    action: Action
    probability: float
    expected_at: datetime
    detail: str = ""
    executable: str = ""
    spread_s: int = 0

    def as_dict(self, language: Language) -> dict[str, Any]:
        """The candidate as it stands in messages and rows."""
        return {
            "text": write_line(self.expected_at, self.action, language, self.detail),
            "probability": round_down(self.probability),
            "action": action_as_dict(self.action),
            "expected_at": self.expected_at.isoformat(),
            "spread_s": self.spread_s,
            "executable": self.executable,
        }


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One action that may start, be visited or be opened within the horizon; these are independent."""

    action: Action
    probability: float
    detail: str = ""

    def as_dict(self, language: Language, at: datetime) -> dict[str, Any]:
        """The entry as it stands in messages and rows; `at` is when it was asked."""
        return {
            "text": write_line(at, self.action, language, self.detail),
            "probability": round_down(self.probability),
            "action": action_as_dict(self.action),
            "within_s": HORIZON_S,
        }


@dataclass(frozen=True, slots=True)
class Ranking:
    """A predictor's answer: candidates best first, whose probabilities and `new_probability` sum to at most 1."""

    candidates: list[Candidate] = field(default_factory=list)
    upcoming: list[Upcoming] = field(default_factory=list)
    new_probability: float = 0.0
    with_model: bool = False
    """Whether a language model had its say."""


def round_down(probability: float) -> float:
    """A probability in few digits; rounded down, so that a sum does not come above 1."""
    return math.floor(probability * 1e6) / 1e6


def action_as_dict(action: Action) -> dict[str, str]:
    """An action as JSON."""
    return {"operation": action.operation.value, "target": action.target, "place": action.place}


def action_from_dict(given: dict[str, str]) -> Action:
    """The action that `action_as_dict` wrote."""
    return Action(Operation(given["operation"]), given["target"], given["place"])
