"""Hazard of each action: its probability of starting, being visited or being opened within the horizon.

The evidence for an action is multiplied, with weights set by hand: how often it came of late and in this session,
how often it came after recent actions, and after pauses as long as this one. Such actions are too rare to learn
weights from.
"""

import math
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from memo.core.bounded import BoundedDict
from memo.core.events import Action, Event, Operation
from memo.core.predictions import HORIZON_S, QUIET_S, UPCOMING_OPERATIONS, Upcoming
from worker.predictors.history.candidate_ids import Numbers, from_fields
from worker.predictors.history.tables import MAX_CONTEXTS, State, pack_counts, unpack_counts

TRIGGERS = UPCOMING_OPERATIONS | {Operation.PROCESS_END, Operation.WINDOW_FOCUS}  # operations that may precede them
SESSION_S = 1_800  # a longer pause ends a session
LATELY_S = 3_600.0  # time constant of the count that fades by the clock, in seconds
LATELY = 100.0  # time constant of the count that fades by events, in events
RECENT_S = 300  # actions within this time are recent, in seconds
RECENT = 8  # most different recent actions
PAUSES = 100  # latest pauses remembered of each action
MAX_SEEN = 500  # actions considered; the one that came longest ago is evicted first
MAX_UPCOMING = 200  # actions of one answer

BIAS = -1.5
WEIGHTS = {"by_clock": 0.2, "by_events": 0.2, "after": 0.3, "session": 0.2, "pauses": 0.2}
FLOOR = 0.01  # added to each evidence, so that its logarithm is finite


@dataclass
class Occurrence:
    """Counts of one action; the fading ones are as of `at` and `step`."""

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
        # By trigger: actions that came within the horizon; under the trigger's own name, how often it came itself.
        self._after: BoundedDict[Action, Counter[Action]] = BoundedDict(MAX_CONTEXTS)
        self._last_at: BoundedDict[Action, datetime] = BoundedDict(MAX_CONTEXTS)
        self._recent: deque[tuple[datetime, Action]] = deque()
        self._session = 0
        self._step = 0

    def learn(self, event: Event) -> None:
        """Count the event."""
        self._step += 1
        if event.operation not in TRIGGERS:
            return
        action, now = event.action.identity, event.at
        if self._recent and not 0 <= (now - self._recent[-1][0]).total_seconds() <= SESSION_S:
            self._session += 1
        self._count_triggers(action, now)
        if event.operation in UPCOMING_OPERATIONS:
            self._count(event, action)

    def _count_triggers(self, action: Action, now: datetime) -> None:
        """Count the action after each trigger and as a trigger; repetitions within `QUIET_S` count once."""
        while self._recent and not 0 <= (now - self._recent[0][0]).total_seconds() <= HORIZON_S:
            self._recent.popleft()
        last = self._last_at.get(action)
        was_quiet = last is None or not 0 <= (now - last).total_seconds() <= QUIET_S
        self._last_at[action] = now
        self._recent.append((now, action))
        if was_quiet:
            is_trigger_only = action.operation not in UPCOMING_OPERATIONS
            for trigger in dict.fromkeys([action] if is_trigger_only else [other for _, other in self._recent]):
                counts = self._after.get(trigger, Counter())
                counts[action] += 1
                self._after[trigger] = counts

    def _count(self, event: Event, action: Action) -> None:
        seen = self._seen.get(action) or Occurrence(event.at, self._step)
        age_s = max(0.0, (event.at - seen.at).total_seconds())
        if age_s > QUIET_S:
            seen.pauses.append(age_s)
        seen.by_clock = 1 + seen.by_clock * math.exp(-age_s / LATELY_S)
        seen.in_session = seen.in_session + 1 if seen.session == self._session else 1
        seen.by_events = 1 + seen.by_events * math.exp((seen.step - self._step) / LATELY)
        seen.session, seen.at, seen.step = self._session, event.at, self._step
        seen.detail = event.detail if event.operation is Operation.WEB_VISIT else ""
        self._seen[action] = seen

    def upcoming(self, now: datetime) -> list[Upcoming]:
        """Return at most `MAX_UPCOMING` actions, the likeliest first; their probabilities are independent."""
        after = self._after_triggers(now)
        answers = [
            Upcoming(action, self._probability(seen, age_s, after[action]), seen.detail)
            for action, seen in self._seen.items()
            if (age_s := (now - seen.at).total_seconds()) > QUIET_S
        ]
        return sorted(answers, key=lambda answer: -answer.probability)[:MAX_UPCOMING]

    def _after_triggers(self, now: datetime) -> defaultdict[Action, float]:
        """Return how often each action came within the horizon after the recent triggers, as a mean of shares."""
        recent = (action for at, action in reversed(self._recent) if (now - at).total_seconds() <= RECENT_S)
        triggers = [trigger for trigger in list(dict.fromkeys(recent))[:RECENT] if trigger in self._after]
        after = defaultdict[Action, float](float)
        for trigger in triggers:
            counts = self._after[trigger]
            for action, count in counts.items():
                after[action] += count / (counts[trigger] + 1) / len(triggers)
        return after

    def _probability(self, seen: Occurrence, age_s: float, after: float) -> float:
        evidence = {
            "by_clock": seen.by_clock * math.exp(-age_s / LATELY_S) + FLOOR,
            "by_events": seen.by_events * math.exp((seen.step - self._step) / LATELY) + FLOOR,
            "after": after + FLOOR,
            "session": 1 + (seen.in_session if seen.session == self._session else 0),
            "pauses": 1 + sum(pause > age_s for pause in seen.pauses),
        }
        score = BIAS + sum(weight * math.log(evidence[name]) for name, weight in WEIGHTS.items())
        return 1 / (1 + math.exp(-score))

    def state(self) -> State:
        """Return all counts; actions are written once and referred to by number."""
        numbers = Numbers()
        after = [{numbers[action]: count for action, count in counts.items()} for counts in self._after.values()]
        return {
            "seen": [
                [numbers[action], vars(seen) | {"at": seen.at.isoformat(), "pauses": list(seen.pauses)}]
                for action, seen in self._seen.items()
            ],
            "triggers": [numbers[trigger] for trigger in self._after],
            "after": pack_counts(after, np.int64),
            "last_at": [[numbers[action], at.isoformat()] for action, at in self._last_at.items()],
            "recent": [[numbers[action], at.isoformat()] for at, action in self._recent],
            "session": self._session,
            "step": self._step,
            "names": numbers.fields(),
        }

    def restore(self, state: State) -> None:
        """Replace all counts by those of a `state`."""
        names = [from_fields(fields) for fields in state["names"]]
        triggers = (names[number] for number in state["triggers"])
        after = (Counter({names[key]: n for key, n in counts.items()}) for counts in unpack_counts(state["after"]))
        self._seen = BoundedDict(MAX_SEEN, {names[number]: _occurrence(fields) for number, fields in state["seen"]})
        self._after = BoundedDict(MAX_CONTEXTS, dict(zip(triggers, after, strict=True)))
        last_at = {names[number]: datetime.fromisoformat(at) for number, at in state["last_at"]}
        self._last_at = BoundedDict(MAX_CONTEXTS, last_at)
        self._recent = deque((datetime.fromisoformat(at), names[number]) for number, at in state["recent"])
        self._session, self._step = state["session"], state["step"]


def _occurrence(fields: State) -> Occurrence:
    at, pauses = datetime.fromisoformat(fields["at"]), deque[float](fields["pauses"], PAUSES)
    return Occurrence(**(fields | {"at": at, "pauses": pauses}))
