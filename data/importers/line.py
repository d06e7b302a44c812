"""Read one event from one line: an event line, or a JSON object."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from memo.core.errors import GrammarError
from memo.core.events import CONTEXT, FILES, Event, Operation
from memo.core.grammar import MAX_LINE, clean, parse
from memo.core.sites import domain

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATER = datetime(2000, 1, 2)  # on any clock that shows it, EARLIEST is past
AHEAD = timedelta(days=1)  # how far another clock may be ahead of ours
TIMES = ("at", "timestamp")
ALSO_CALLED = {"browser_history": Operation.WEB_VISIT}
EXPORTED = {
    Operation.PROCESS_START: "application",
    Operation.PROCESS_END: "application",
    Operation.WINDOW_FOCUS: "window_title",
    Operation.WEB_VISIT: "url",
    Operation.FILE_ACCESS: "file_path",
    Operation.FILE_SAVE: "file_path",
    Operation.APP_USAGE: "application",
}
"""The field that exports of desktop collectors have instead of `target`."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A line or object that could not be read: its place and the reason, never its text."""

    unit: Literal["line", "object", "offset"]
    place: int
    reason: str
    sha256: str

    @classmethod
    def of(cls, unit: Literal["line", "object", "offset"], place: int, reason: str, raw: bytes) -> "Reject":
        """Return the reject of these bytes."""
        return cls(unit, place, reason, hashlib.sha256(raw).hexdigest())


class HourTwice:
    """Tells the second run of the hour that comes twice, when summer time ends, by the order of the events."""

    def __init__(self) -> None:
        self._last = EARLIEST

    def placed(self, event: Event, **fields: Any) -> Event:
        """Return the event with a fixed offset, in the second run if it would be before the last one in the first.

        A zone is asked for its offset once: each comparison and conversion would ask it again. Other `fields` are set
        as well, as copying an event twice takes long.
        """
        at = _fixed(event.at)
        if event.at.fold == 0 and at < self._last:
            at = max(at, _fixed(event.at.replace(fold=1)))
        self._last = at
        return replace(event, at=at, **fields) if fields or at.tzinfo is not event.at.tzinfo else event


def _fixed(at: datetime) -> datetime:
    """Return a time with the offset that its zone has then."""
    return at if isinstance(at.tzinfo, timezone) else at.replace(tzinfo=_offset(at.utcoffset() or timedelta()), fold=0)


@lru_cache(maxsize=64)
def _offset(ahead: timedelta) -> timezone:
    return timezone(ahead)


def read_line(raw: bytes, zone: tzinfo) -> Event:
    """Return the event of a line in UTF-8. Raises GrammarError."""
    if len(raw) > MAX_LINE:
        raise GrammarError(f"the line is longer than {MAX_LINE} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise GrammarError("the line is not UTF-8") from error
    event = _from_json(text, zone) if text.startswith("{") else parse(text, zone)
    if reason := implausible(event.at):
        raise GrammarError(reason)
    return event


def implausible(at: datetime) -> str:
    """Return the reason why a time can't be right, or an empty text."""
    if LATER <= at.replace(tzinfo=None) <= datetime.now(UTC).replace(tzinfo=None):
        return ""  # whatever its offset is, which is less than a day and takes long to find out
    time = _fixed(at)
    if time < EARLIEST:
        return f"the event's time is before {EARLIEST:%Y-%m-%d}"
    return "the event's time is more than a day in the future" if time > datetime.now(UTC) + AHEAD else ""


def _from_json(text: str, zone: tzinfo) -> Event:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GrammarError("the line is not a JSON object") from error
    line = given.get("event")
    if line is None:
        return from_fields(given, zone)
    if not isinstance(line, str):
        raise GrammarError("`event` is not a text")
    return parse(line, zone)


def from_fields(given: Mapping[str, Any], zone: tzinfo) -> Event:
    """Return the event of named fields, ours or those of an export; a time without an offset is in `zone`.

    Raises GrammarError.
    """
    try:
        at = datetime.fromisoformat(next((value for name in TIMES if (value := given.get(name))), ""))
    except (TypeError, ValueError) as error:
        raise GrammarError("`at` is not an ISO date and time") from error
    aware = at if at.tzinfo else at.replace(tzinfo=zone)
    operation = _operation(given.get("operation") or given.get("type"))
    if "target" in given:
        fields = {name: _text(given, name) for name in ("target", "app", "detail")}
    else:
        fields = _exported(operation, given, aware)
    event = Event(aware, operation, **fields, executable=_text(given, "executable"))
    if not event.target and operation not in CONTEXT:
        exported = EXPORTED[operation]
        raise GrammarError(f"`{exported}` names nothing" if exported in given else "`target` is empty")
    if operation is Operation.WEB_VISIT and event.target.split() != [event.target]:
        raise GrammarError("a visit's `target` is a domain, without spaces")
    if operation is Operation.TIME_CONTEXT and not _is_weekday_and_hour(event):
        raise GrammarError("a time context's `target` is a weekday from 1 to 7, its `detail` an hour")
    return event


def _operation(name: Any) -> Operation:
    try:
        return ALSO_CALLED.get(name) or Operation(name)
    except (TypeError, ValueError) as error:
        raise GrammarError(f"`operation` is none of {', '.join((*Operation, *ALSO_CALLED))}") from error


def _exported(operation: Operation, given: Mapping[str, Any], at: datetime) -> dict[str, str]:
    """Return target, app and detail of an object in a desktop collector's export."""
    if operation is Operation.TIME_CONTEXT:
        return {"target": str(at.isoweekday()), "detail": str(at.hour)}
    if operation is Operation.SESSION_START:
        return {}
    target, app = _text(given, EXPORTED[operation]), _text(given, "application")
    if operation is Operation.WINDOW_FOCUS:
        return {"target": target or app, "app": app}
    if operation is Operation.WEB_VISIT:
        return {"target": domain(target), "app": app, "detail": _text(given, "title")}
    if operation in FILES:
        path = _path(target)
        return {"target": path.name, "app": app, "detail": str(path.parent) if path.parent.name else path.anchor}
    return {"target": target, "detail": _seconds(given) if operation is Operation.APP_USAGE else ""}


def _path(text: str) -> PurePath:
    """Return the path in the form of the system that wrote it."""
    return PureWindowsPath(text) if "\\" in text and not text.startswith("/") else PurePosixPath(text)


def _seconds(given: Mapping[str, Any]) -> str:
    value = given.get("duration")
    text = f"{value:f}" if isinstance(value, float) else str(value or 0)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text):
        raise GrammarError("`duration` is not a number of seconds")
    return text


def _is_weekday_and_hour(event: Event) -> bool:
    return event.target in tuple("1234567") and bool(re.fullmatch("[0-9]{1,2}", event.detail))


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name) or ""
    if not isinstance(value, str):
        raise GrammarError(f"`{name}` is not a text")
    return clean(value)
