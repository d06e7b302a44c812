"""Everything that a plug-in needs of MEMO: a handler, a source or a predictor imports only this module."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass
from datetime import datetime
from threading import Event as Flag
from typing import Any, Protocol

from memo.core.errors import MemoError as MemoError
from memo.core.events import Action as Action
from memo.core.events import Event as Event
from memo.core.events import Operation as Operation
from memo.core.paths import Home as Home
from memo.core.predictions import Answer as Answer
from memo.core.predictions import Candidate as Candidate
from memo.core.predictions import Ranking as Ranking
from memo.core.predictions import Upcoming as Upcoming
from memo.core.settings import Settings as Settings


class Predictor(Protocol):
    """Learns from events in order and ranks the actions that may come next; knows no store and no queue."""

    def learn(self, event: Event) -> None:
        """Learn from the next event of the stream."""

    def predict(self, window: Sequence[Event], top: int) -> Ranking:
        """Rank at most `top` actions that may follow `window`, whose last event is the newest."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events read by a source, and the cursor from which it continues once they are stored.

    `cursor` is JSON of the source's own choice, with integers of at most 64 bits. It is committed together with the
    events under `cursor_key`.
    `from_start` says that the source reads again from its beginning: events that it repeats are the same ones, not new
    ones. `anew` is the earlier name of that field. `stood` says that its events tell of what stood on the screen when
    the source began: nobody has done that, so it is stored only where the store says that something else stood there.
    """

    events: Sequence[Event]
    cursor_key: str
    cursor: dict[str, Any]
    from_start: bool = False
    anew: InitVar[bool] = False
    stood: bool = False

    def __post_init__(self, anew: bool) -> None:
        object.__setattr__(self, "from_start", self.from_start or anew)


@dataclass(frozen=True, slots=True)
class Past:
    """Events from before the source started to watch: they are ordered by time, and no predictions follow them.

    Events that are stored already are skipped, so a past may be repeated. The cursor is committed after the last one.
    If `operator.length_hint` knows the number of events, `memo sources` shows the progress.
    """

    events: Iterable[Event]
    cursor_key: str
    cursor: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """A problem of a running source and its remedy; empty once it is solved.

    It is logged and shown by `memo sources`, so it contains no file names and no titles.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Presence:
    """Somebody has come to the machine, or left it `for_s` seconds ago."""

    is_there: bool
    for_s: float = 0.0


Emit = Callable[[Batch | list[Batch] | Past | Note | Presence], None]
"""Passes on what a source reports; returns once it is stored, several batches in one transaction."""
FindCursor = Callable[[str], dict[str, Any] | None]
"""Returns the cursor that was last stored under a key, or None."""


class Stop(Flag):
    """Set when a source must end. It can also be passed to select(2): it becomes readable once set."""

    def __init__(self) -> None:
        super().__init__()
        self._file = os.eventfd(0)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._file

    def set(self) -> None:
        """Set the flag and wake whoever waits."""
        os.eventfd_write(self._file, 1)
        super().set()


class Source(Protocol):
    """Notices what a person does; constructed with `(settings, home)`."""

    name: str
    watching: Flag  # set once nothing that happens from then on is missed

    def missing(self) -> str:
        """Return one sentence on what the source lacks on this machine and how to get it; empty if it can run."""

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Read and emit batches until `stop` is set. `cursor(key)` returns what was last committed under a key."""


@dataclass(frozen=True, slots=True)
class DispatchContext:
    """The part of a prediction that its handlers may know."""

    prediction_id: int
    scope: str
    made_at: datetime
    until: datetime  # when the candidate should have come true; anything prepared for it is useless after that


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one attempt of a handler on this machine."""

    ms: float = 0.0  # work, without waiting
    read_bytes: int = 0


class NothingToDo(MemoError):
    """An attempt would do nothing; the message says why."""


class Handler(Protocol):
    """Acts on a candidate that passed the gates; constructed with `(settings, home)`.

    Each attempt runs in a process of the handler's own unless the handler is `quick`. An exception is recorded and
    affects no other handler. `accepts` and `cost` are called in the dispatcher: they must answer from memory, and
    heavy imports belong in `handle`.
    """

    name: str
    quick: bool = False  # answers within milliseconds and touches only MEMO, so it runs in the dispatcher itself
    noticed: bool = False  # a person sees or hears it, so it waits for the end of quiet hours and full-screen windows
    limit_s: float = 10.0  # an attempt that takes longer is killed with its process
    per_hour: int | None = None  # most attempts in an hour, even if the settings allow more
    # Set by handlers that show a box: of these only one acts on a prediction, the one with the lowest rank that can.
    # It is a class attribute; `memo feedback last` answers the newest box.
    box_rank: int | None = None
    # Tables of [dispatch] in which the page's switch names the handler if no route does yet; an attribute of the class.
    routed_by: Sequence[str] = ("routes.file_access", "routes.web_visit", "routes.window_focus")

    def accepts(self, action: Action) -> bool:
        """Return whether the handler can act on this action."""
        return True

    def cost(self, candidate: Candidate, context: DispatchContext) -> Cost:
        """Return the cost of an attempt. Raises NothingToDo, with the reason, if it would do nothing."""
        return Cost()

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Act, and return a JSON object that is stored with the dispatch. Raises NothingToDo as `cost` does.

        Four keys have a meaning: `ms` and `read_bytes`, the measured cost if it is known better than before; `gain_s`,
        the seconds saved if the candidate comes true; `answer`, the `Answer` of a person.
        """
        raise NotImplementedError

    def expire(self, result: Mapping[str, Any]) -> None:
        """Undo what an attempt prepared: its time is over and the candidate did not come true."""
        return None
