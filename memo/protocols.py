"""What a plug-in implements; it needs to import nothing else of MEMO's than `memo`."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event as Flag
from typing import Any, Protocol

from memo.core.errors import MemoError
from memo.core.events import Action, Event
from memo.core.predictions import Candidate, Ranking


class Predictor(Protocol):
    """Learns from events in their order and ranks what comes next; knows no store and no queue."""

    def learn(self, event: Event) -> None:
        """Take in the next event of the stream."""

    def predict(self, window: Sequence[Event], top: int) -> Ranking:
        """Rank what follows `window`, whose last event is the newest; at most `top` candidates."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that a source has read, and the place from which it goes on once they are stored.

    `cursor` is the source's own JSON; it is committed together with the events, under `cursor_key`. `anew` says that
    the source begins from the start again: what it then tells a second time is the same, no repeat.
    """

    events: Sequence[Event]
    cursor_key: str
    cursor: dict[str, Any]
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """What a source finds of the time before it watched: put in its place by time, and no predictions follow it.

    Events that are stored already are passed over, so a past may be told again. The cursor is committed after the last.
    Where `operator.length_hint` has a word about their number, `memo sources` shows how far they are read.
    """

    events: Iterable[Event]
    cursor_key: str
    cursor: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """What a person should know of a source that goes on, and what to do about it; empty where that is over.

    It is logged, and stands in `memo sources`, so it names no file and no title.
    """

    says: str


Emit = Callable[[Batch | Past | Note], None]
"""How a source hands over what it has read; returns once that is stored."""


class Stop(Flag):
    """Set when a source shall end; select(2) takes it too, and finds it readable from then on."""

    def __init__(self) -> None:
        super().__init__()
        self._reads, self._writes = os.pipe()

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._reads

    def set(self) -> None:
        """Set the flag, and wake whoever waits."""
        if not self.is_set():
            os.write(self._writes, b"x")
        super().set()


class Source(Protocol):
    """A thing that notices what a person does; made with `(settings, home)`."""

    name: str
    watching: Flag
    """Set once nothing that happens from then on is missed."""

    def missing(self) -> str:
        """What it lacks on this machine and how to get it, in one sentence; empty where it can run."""

    def run(self, emit: Emit, cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
        """Read and emit batches until `stop` is set. `cursor(key)` gives what was last committed under a key."""


@dataclass(frozen=True, slots=True)
class DispatchContext:
    """What a handler may know of the prediction that it acts on."""

    prediction_id: int
    scope: str
    made_at: datetime
    until: datetime
    """By then the candidate should have come true; what was prepared for it is of no use any more."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a go costs this machine."""

    ms: float = 0.0
    """Work, not waiting."""
    read_bytes: int = 0


class NothingToDo(MemoError):
    """A go would do nothing; the words say why."""


class Handler(Protocol):
    """Acts on a candidate that passed the gates; made with `(settings, home)`.

    Each go is made in a process of the handler's own, unless it is `quick`. What raises is written down and stops no
    other handler. `accepts` and `cost` are asked in the dispatcher: they answer from memory, and what is heavy is
    imported by `handle`.
    """

    name: str
    quick: bool = False
    """Answers within milliseconds and touches nothing outside of MEMO, so that it runs in the dispatcher itself."""
    noticed: bool = False
    """A person sees or hears it: it waits for the end of quiet hours and of what fills the screen."""
    limit_s: float = 10.0
    """Of a go; its process is killed after that."""
    per_hour: int | None = None
    """Goes an hour, where the settings would let it have more."""

    def accepts(self, action: Action) -> bool:
        """Whether this is an action that the handler can do something about."""
        return True

    def cost(self, candidate: Candidate, context: DispatchContext) -> Cost:
        """What a go would cost. Raises NothingToDo where it would do nothing: it is stopped then, with these words."""
        return Cost()

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Act; what is returned, JSON, is kept with the dispatch.

        Four keys have a meaning: `ms` and `read_bytes`, what the go did cost where that is known better than before;
        `gain_s`, the seconds that it saves if the candidate comes true; `answer`, a `memo.predictions.Answer` that a
        person gave.
        """
        raise NotImplementedError

    def expire(self, result: Mapping[str, Any]) -> None:
        """The time of a go is over and the candidate did not come true: take back what was prepared."""
        return None
