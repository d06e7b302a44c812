"""What happened (Event), and the part of it that is predicted (Action)."""

import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from getpass import getuser


class Operation(StrEnum):
    """What kind of thing happened."""

    PROCESS_START = "process_start"
    PROCESS_END = "process_end"
    WINDOW_FOCUS = "window_focus"
    WEB_VISIT = "web_visit"
    FILE_ACCESS = "file_access"
    APP_USAGE = "app_usage"
    SESSION_START = "session_start"
    TIME_CONTEXT = "time_context"


CONTEXT = frozenset({Operation.SESSION_START, Operation.TIME_CONTEXT})
"""Operations that are read as context and never predicted."""

APP_OPERATIONS = frozenset({Operation.PROCESS_START, Operation.PROCESS_END, Operation.APP_USAGE})
"""Operations whose target is an app."""

HUMAN = frozenset({Operation.WINDOW_FOCUS, Operation.WEB_VISIT, Operation.FILE_ACCESS})
"""Operations that a person does, process noise apart."""


TABS = re.compile(r" 和另外 \d+ 个页面| and \d+ more pages?")
"""How many other tabs a browser's window has: of the window, not of the page that its title names."""
_DETAIL = re.compile(
    TABS.pattern + r"|^\(\d+\+?\) |[\u200b-\u200d\ufeff]| - 个人(?= - )| - Personal(?= - )"
    r"|(?<![\w.])v?\d+\.\d+\.\d+(?![\w.]*\d)"
)
"""Tabs, unread messages, zero-width characters, the browser's profile, a version of three numbers."""


@dataclass(frozen=True, slots=True)
class Action:
    """Operation and target; `place` is the app of a window, the folder of a file, else empty."""

    operation: Operation
    target: str
    place: str = ""

    @property
    def coarse(self) -> "Action":
        """The same at the level of app, domain or folder."""
        if self.operation in (Operation.WINDOW_FOCUS, Operation.FILE_ACCESS) and self.place:
            return Action(self.operation, "", self.place)
        return self

    @property
    def identity(self) -> "Action":
        """What it is counted as: a window's title without the details that change while the page stays."""
        if self.operation is Operation.WINDOW_FOCUS:
            return Action(self.operation, _DETAIL.sub("", self.target), self.place)
        return self


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `at` must carry its offset.

    `app` belongs to a window or an opened file; `detail` is a visit's page title, a file's folder, or an app
    usage's seconds as written. Raises ValueError for a time without an offset.
    """

    at: datetime
    operation: Operation
    target: str = ""
    app: str = ""
    detail: str = ""
    scope: str = ""
    source: str = ""
    source_key: str = ""
    executable: str = ""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("an event's time needs an offset from UTC")

    @property
    def action(self) -> Action:
        """What of this event is predicted."""
        place = {Operation.WINDOW_FOCUS: self.app, Operation.FILE_ACCESS: self.detail}.get(self.operation, "")
        return Action(self.operation, self.target, place)

    @property
    def second(self) -> datetime:
        """The whole second in UTC: the grain at which two reports of one act are the same."""
        return self.at.astimezone(UTC).replace(microsecond=0)


@cache
def default_scope() -> str:
    """One person at one machine: user@host."""
    return f"{getuser()}@{socket.gethostname()}"
