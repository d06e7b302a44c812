"""What will probably start, be visited or be opened within the horizon: a hazard from counts and recency."""

import math
from collections import defaultdict
from datetime import datetime

from memo.events import Action, Event, Operation
from memo.predictions import HORIZON_S, Upcoming

KINDS = frozenset({Operation.PROCESS_START, Operation.WEB_VISIT, Operation.FILE_ACCESS})
QUIET_S = 60
"""What came this recently is in use, not upcoming."""
TIME_CONSTANT_S = 3_600
LONGEST_GAP_S = 300
"""A longer gap is absence; active time counts so much of it."""
MAX_UPCOMING = 200


class Hazard:
    """Rates of each action over active time, the last hour weighing most."""

    def __init__(self) -> None:
        self._decayed: defaultdict[Action, float] = defaultdict(float)
        self._count: defaultdict[Action, int] = defaultdict(int)
        self._last: dict[Action, datetime] = {}
        self._details: dict[Action, str] = {}
        self._active_s = 0.0
        self._now: datetime | None = None

    def learn(self, event: Event) -> None:
        """Count the event."""
        if self._now is not None:
            self._active_s += min(max(0.0, (event.at - self._now).total_seconds()), LONGEST_GAP_S)
        self._now = event.at
        if event.operation in KINDS:
            action = event.action
            self._decayed[action] = 1 + self._decay(action, event.at)
            self._count[action] += 1
            self._last[action] = event.at
            self._details[action] = event.detail if event.operation is Operation.WEB_VISIT else ""

    def _decay(self, action: Action, now: datetime) -> float:
        if action not in self._last:
            return 0.0
        age = max(0.0, (now - self._last[action]).total_seconds())
        return self._decayed[action] * math.exp(-age / TIME_CONSTANT_S)

    def upcoming(self, now: datetime) -> list[Upcoming]:
        """The likeliest first, at most `MAX_UPCOMING`; each probability stands for itself."""
        answers = []
        for action, last in self._last.items():
            if (now - last).total_seconds() > QUIET_S:
                often = self._count[action] / (self._active_s + TIME_CONSTANT_S)
                rate = (often + self._decay(action, now) / TIME_CONSTANT_S) / 2
                answers.append(Upcoming(action, 1 - math.exp(-rate * HORIZON_S), self._details[action]))
        return sorted(answers, key=lambda answer: -answer.probability)[:MAX_UPCOMING]
