"""What will probably start, be visited or be opened within the horizon.

The evidence for an action is multiplied with weights set by hand: what came often of late, in this session, after what
was just done, and after pauses as long as this one. Few of these things happen, so there is little to learn weights by.
"""

import math
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime

from memo.core.bounded import BoundedDict
from memo.core.events import Action, Event, Operation
from memo.core.predictions import HORIZON_S, QUIET_S, UPCOMING_OPERATIONS, Upcoming
from worker.predictors.history.tables import MAX_CONTEXTS

TRIGGERS = UPCOMING_OPERATIONS | {Operation.PROCESS_END, Operation.WINDOW_FOCUS}
"""What may go before them."""
SESSION_S = 1_800
"""A longer pause ends a session."""
LATELY_S, LATELY = 3_600.0, 100.0
"""Time constants of the counts of late: by the clock, in seconds, and by the count of events."""
RECENT_S, RECENT = 300, 8
"""What was just done: so many different actions within that time."""
PAUSES = 100
"""Of each action are remembered."""
MAX_SEEN = 500
"""Actions that are thought of; the one that came longest ago is forgotten first."""
MAX_UPCOMING = 200

BIAS = -1.5
WEIGHTS = {"by_clock": 0.2, "by_events": 0.2, "after": 0.3, "session": 0.2, "pauses": 0.2}
FLOOR = 0.01
"""What an evidence of nothing counts as."""


@dataclass
class Occurrence:
    """What is known of an action; the counts of late are as of `at` and `step`."""

    at: datetime
    step: int
    detail: str = ""
    by_clock: float = 0.0
    by_events: float = 0.0
    session: int = 0
    in_session: int = 0
    pauses: deque[float] = field(default_factory=lambda: deque(maxlen=PAUSES))


class Hazard:
    """Evidence for each action that starts, is visited or is opened."""

    def __init__(self) -> None:
        self._seen: BoundedDict[Action, Occurrence] = BoundedDict(MAX_SEEN)
        self._after: BoundedDict[Action, Counter[Action]] = BoundedDict(MAX_CONTEXTS)
        """Of each trigger, what came within the horizon; and how often it came itself, under its own name."""
        self._came: BoundedDict[Action, datetime] = BoundedDict(MAX_CONTEXTS)
        self._recent: deque[tuple[datetime, Action]] = deque()
        self._session, self._step = 0, 0

    def learn(self, event: Event) -> None:
        """Count the event."""
        self._step += 1
        if event.operation not in TRIGGERS:
            return
        action, now = event.action.identity, event.at
        if self._recent and not 0 <= (now - self._recent[-1][0]).total_seconds() <= SESSION_S:
            self._session += 1
        self._note_triggers(action, now)
        if event.operation in UPCOMING_OPERATIONS:
            self._note(event, action)

    def _note_triggers(self, action: Action, now: datetime) -> None:
        """Count it after each trigger, and as a trigger, once for each time that it was quiet."""
        while self._recent and not 0 <= (now - self._recent[0][0]).total_seconds() <= HORIZON_S:
            self._recent.popleft()
        last = self._came.get(action)
        quiet = last is None or not 0 <= (now - last).total_seconds() <= QUIET_S
        self._came[action] = now
        self._recent.append((now, action))
        if quiet:
            triggers = {other for _, other in self._recent} if action.operation in UPCOMING_OPERATIONS else {action}
            for trigger in triggers:
                counts = self._after.get(trigger, Counter())
                counts[action] += 1
                self._after[trigger] = counts

    def _note(self, event: Event, action: Action) -> None:
        seen = self._seen.get(action) or Occurrence(event.at, self._step)
        age = max(0.0, (event.at - seen.at).total_seconds())
        if age > QUIET_S:
            seen.pauses.append(age)
        seen.by_clock = 1 + seen.by_clock * math.exp(-age / LATELY_S)
        seen.in_session = seen.in_session + 1 if seen.session == self._session else 1
        seen.by_events = 1 + seen.by_events * math.exp((seen.step - self._step) / LATELY)
        seen.session, seen.at, seen.step = self._session, event.at, self._step
        seen.detail = event.detail if event.operation is Operation.WEB_VISIT else ""
        self._seen[action] = seen

    def upcoming(self, now: datetime) -> list[Upcoming]:
        """The likeliest first, at most `MAX_UPCOMING`; each probability stands for itself."""
        after = self._after_triggers(now)
        answers = [
            Upcoming(action, self._probability(seen, age, after[action]), seen.detail)
            for action, seen in self._seen.items()
            if (age := (now - seen.at).total_seconds()) > QUIET_S
        ]
        return sorted(answers, key=lambda answer: -answer.probability)[:MAX_UPCOMING]

    def _after_triggers(self, now: datetime) -> defaultdict[Action, float]:
        """How often each action came within the horizon after what was just done: the mean of the shares."""
        recent = (action for at, action in reversed(self._recent) if (now - at).total_seconds() <= RECENT_S)
        triggers = [trigger for trigger in list(dict.fromkeys(recent))[:RECENT] if trigger in self._after]
        after = defaultdict[Action, float](float)
        for trigger in triggers:
            counts = self._after[trigger]
            for action, count in counts.items():
                after[action] += count / (counts[trigger] + 1) / len(triggers)
        return after

    def _probability(self, seen: Occurrence, age: float, after: float) -> float:
        evidence = {
            "by_clock": seen.by_clock * math.exp(-age / LATELY_S) + FLOOR,
            "by_events": seen.by_events * math.exp((seen.step - self._step) / LATELY) + FLOOR,
            "after": after + FLOOR,
            "session": 1 + (seen.in_session if seen.session == self._session else 0),
            "pauses": 1 + sum(pause > age for pause in seen.pauses),
        }
        score = BIAS + sum(weight * math.log(evidence[name]) for name, weight in WEIGHTS.items())
        return 1 / (1 + math.exp(-score))
