"""What will probably start, be visited or be opened within the horizon.

The evidence for an action is multiplied with weights set by hand: what came often of late, in this session, at this
time of the day, and after what was just done; an app that is open already speaks against its start. Few of these things
happen, so there is little to learn weights by.
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from memo.bounded import remember
from memo.events import Action, Event, Operation
from memo.predictions import HORIZON_S, KINDS, QUIET_S, Upcoming
from worker.predictors.tables import MAX_CONTEXTS

TRIGGERS = KINDS | {Operation.PROCESS_END, Operation.WINDOW_FOCUS}
"""What may go before them."""
SESSION_S = 1_800
"""A longer pause ends a session."""
LATELY_S = 3_600.0
"""Time constant of the count of late."""
RECENT_S, RECENT = 300, 8
"""What was just done: so many different actions within that time."""
MAX_SEEN = 500
"""Actions that are thought of; the one that came longest ago is forgotten first."""
MAX_UPCOMING = 200

BIAS = -0.5
WEIGHTS = {"lately": 0.4, "after": 0.3, "session": 0.1, "hour": 0.3, "open": -0.4}
FLOOR = 0.01
"""What an evidence of nothing counts as."""
HOURS_PRIOR = 5
"""So many events at a time of the day are not yet a habit."""
PROCESSES = frozenset({Operation.PROCESS_START, Operation.PROCESS_END})


@dataclass
class Seen:
    """What is known of an action; the count of late is as of `at`."""

    at: datetime
    detail: str = ""
    lately: float = 0.0
    session: int = 0
    in_session: int = 0
    hours: Counter[int] = field(default_factory=Counter)
    """How often it came in each hour of the day."""


class Hazard:
    """Evidence for each action that starts, is visited or is opened."""

    def __init__(self) -> None:
        self._seen: dict[Action, Seen] = {}
        self._after: dict[Action, Counter[Action]] = {}
        """Of each trigger, what came within the horizon; and how often it came itself, under its own name."""
        self._came: dict[Action, datetime] = {}
        self._recent: deque[tuple[datetime, Action]] = deque()
        self._session = 0
        self._hours = Counter[int]()
        """How often anything came in each hour of the day."""
        self._open = Counter[str]()
        """Starts less ends of each app."""

    def learn(self, event: Event) -> None:
        """Count the event."""
        if event.operation not in TRIGGERS:
            return
        action, now = event.action.identity, event.at
        if self._recent and not 0 <= (now - self._recent[-1][0]).total_seconds() <= SESSION_S:
            self._session += 1
        self._note_triggers(action, now)
        if event.operation in PROCESSES:
            change = 1 if event.operation is Operation.PROCESS_START else -1
            remember(self._open, event.target, max(0, self._open[event.target] + change), MAX_CONTEXTS)
        if event.operation in KINDS:
            self._note(event, action)

    def _note_triggers(self, action: Action, now: datetime) -> None:
        """Count it after each trigger, and as a trigger, once for each time that it was quiet."""
        while self._recent and not 0 <= (now - self._recent[0][0]).total_seconds() <= HORIZON_S:
            self._recent.popleft()
        last = self._came.get(action)
        quiet = last is None or not 0 <= (now - last).total_seconds() <= QUIET_S
        remember(self._came, action, now, MAX_CONTEXTS)
        self._recent.append((now, action))
        if quiet:
            triggers = {other for _, other in self._recent} if action.operation in KINDS else {action}
            for trigger in triggers:
                counts = self._after.get(trigger, Counter())
                counts[action] += 1
                remember(self._after, trigger, counts, MAX_CONTEXTS)

    def _note(self, event: Event, action: Action) -> None:
        seen = self._seen.get(action) or Seen(event.at)
        age = max(0.0, (event.at - seen.at).total_seconds())
        seen.lately = 1 + seen.lately * math.exp(-age / LATELY_S)
        seen.in_session = seen.in_session + 1 if seen.session == self._session else 1
        seen.hours[event.at.hour] += 1
        self._hours[event.at.hour] += 1
        seen.session, seen.at = self._session, event.at
        seen.detail = event.detail if event.operation is Operation.WEB_VISIT else ""
        remember(self._seen, action, seen, MAX_SEEN)

    def upcoming(self, now: datetime) -> list[Upcoming]:
        """The likeliest first, at most `MAX_UPCOMING`; each probability stands for itself."""
        after, hours = self._after_triggers(now), [(now.hour + near) % 24 for near in (-1, 0, 1)]
        answers = [
            Upcoming(action, _probability(self._evidence(action, seen, age, after[action], hours)), seen.detail)
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

    def _evidence(
        self, action: Action, seen: Seen, age: float, after: float, hours: Sequence[int]
    ) -> Mapping[str, float]:
        is_open = self._open[action.target] if action.operation is Operation.PROCESS_START else 0
        at_this_time, anything = (sum(counts[hour] for hour in hours) for counts in (seen.hours, self._hours))
        return {
            "lately": seen.lately * math.exp(-age / LATELY_S) + FLOOR,
            "after": after + FLOOR,
            "session": 1 + (seen.in_session if seen.session == self._session else 0),
            "hour": at_this_time / (anything + HOURS_PRIOR) + FLOOR,
            "open": 1 + is_open,
        }


def _probability(evidence: Mapping[str, float]) -> float:
    score = BIAS + sum(weight * math.log(evidence[name]) for name, weight in WEIGHTS.items())
    return 1 / (1 + math.exp(-score))
