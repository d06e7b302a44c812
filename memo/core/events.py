"""The event, which happened, and its action, which is predicted."""

import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, cached_property, lru_cache
from getpass import getuser
from typing import NamedTuple


class Operation(StrEnum):
    """The kind of an event."""

    PROCESS_START = "process_start"
    PROCESS_END = "process_end"
    WINDOW_FOCUS = "window_focus"
    WEB_VISIT = "web_visit"
    FILE_ACCESS = "file_access"
    APP_USAGE = "app_usage"
    SESSION_START = "session_start"
    TIME_CONTEXT = "time_context"
    FILE_SAVE = "file_save"


CONTEXT = frozenset({Operation.SESSION_START, Operation.TIME_CONTEXT})  # read as context and never predicted
PROCESSES = frozenset({Operation.PROCESS_START, Operation.PROCESS_END})
APP_OPERATIONS = frozenset({Operation.PROCESS_START, Operation.PROCESS_END, Operation.APP_USAGE})  # target: an app
FILES = frozenset({Operation.FILE_ACCESS, Operation.FILE_SAVE})  # detail: a folder
HUMAN = FILES | {Operation.WINDOW_FOCUS, Operation.WEB_VISIT}  # done by a person
COUNTED_AS = {Operation.FILE_SAVE: Operation.FILE_ACCESS}  # a file is used, whether it is opened or saved
ACTIONS = tuple(operation for operation in Operation if operation not in COUNTED_AS)  # of actions, in a fixed order

TABS = re.compile(r" 和另外 \d+ 个页面| and \d+ more pages?")  # a browser's count of its other tabs
_DETAIL = re.compile(
    TABS.pattern + r"|^\(\d+\+?\) |[\u200b-\u200d\ufeff]| - 个人(?= - )| - Personal(?= - )"
    r"|(?<![\w.])v?\d+\.\d+\.\d+(?![\w.]*\d)"
)  # tabs, unread messages, zero-width characters, the browser's profile, a version of three numbers


class Action(NamedTuple):
    """An operation and its target; `place` is the app of a window, the folder of a file, else empty."""

    operation: Operation
    target: str
    place: str = ""

    @property
    def coarse(self) -> "Action":
        """The action at the level of its app, domain or folder."""
        if self.operation in (Operation.WINDOW_FOCUS, Operation.FILE_ACCESS) and self.place:
            return Action(self.operation, "", self.place)
        return self

    @property
    def identity(self) -> "Action":
        """The action that it is counted as: a window's title without what changes while the page stays the same."""
        if self.operation is Operation.WINDOW_FOCUS:
            return Action(self.operation, _without_detail(self.target), self.place)
        return self


def counted_as(operation: Operation) -> Operation:
    """Return the operation of the action of an event with this operation."""
    return COUNTED_AS.get(operation, operation)


def make_action(operation: Operation, target: str, app: str, detail: str) -> Action:
    """Return the action of an event with these fields."""
    operation = counted_as(operation)
    place = app if operation is Operation.WINDOW_FOCUS else detail if operation is Operation.FILE_ACCESS else ""
    return Action(operation, target, place)


@lru_cache(maxsize=256)
def _without_detail(title: str) -> str:
    return _DETAIL.sub("", title)


@dataclass(frozen=True)
class Event:
    """Something that happened at a time with an offset from UTC; ValueError for a time without one.

    `app` is the app of a window or an opened file; `detail` is the page title of a visit, the folder of a file, or the
    seconds of an app's usage, as written.
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
            raise ValueError("the time of an event needs an offset from UTC")

    @cached_property
    def action(self) -> Action:
        """The part of the event that is predicted."""
        return make_action(self.operation, self.target, self.app, self.detail)

    @property
    def told(self) -> Action:
        """The action as it is shown: a save has its own operation."""
        return self.action._replace(operation=self.operation)

    @property
    def second(self) -> datetime:
        """The whole second in UTC: two reports of one act are the same in it."""
        return self.at.astimezone(UTC).replace(microsecond=0)


@cache
def default_scope() -> str:
    """Return the scope of this person at this machine: user@host."""
    return f"{getuser()}@{socket.gethostname()}"
