"""Read one event from one line: an event line, or a JSON object."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from memo.core.errors import GrammarError
from memo.core.events import CONTEXT, FILES, Event, Operation
from memo.core.grammar import MAX_LINE, clean, split
from memo.core.sites import domain

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
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


class EventReader:
    """Reads the events of one file in their order; a time gets the fixed offset that its zone has then.

    The order tells the second run of the hour that comes twice, when summer time ends. A zone is asked for its offset
    once: each comparison and conversion would ask it again.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone, self._last = zone, EARLIEST

    def read_line(self, raw: bytes, /, **more: str) -> Event:
        """Return the event of a line in UTF-8, with `more` fields. Raises GrammarError."""
        return self._place(*_split(raw), more)

    def read_fields(self, given: Mapping[str, Any], /, **more: str) -> Event:
        """Return the event of named fields, ours or those of an export, with `more` fields. Raises GrammarError."""
        return self._place(*_split_fields(given), more)

    def _place(self, at: datetime, fields: dict[str, Any], more: dict[str, Any]) -> Event:
        """Return the event with these fields, in the second run if it would be before the last one in the first."""
        zone = at.tzinfo or self._zone
        placed = _fixed(at, zone)
        if at.fold == 0 and placed < self._last:
            placed = max(placed, _fixed(at.replace(fold=1), zone))
        if reason := implausible(placed):
            raise GrammarError(reason)
        self._last = placed
        return Event(placed, **fields, **more)


def _fixed(at: datetime, zone: tzinfo) -> datetime:
    """Return the time that a clock in a zone shows, with the offset of then."""
    return at.replace(tzinfo=_offset(zone.utcoffset(at) or timedelta()), fold=0)


@lru_cache(maxsize=64)
def _offset(ahead: timedelta) -> timezone:
    return timezone(ahead)


def read_line(raw: bytes, zone: tzinfo) -> Event:
    """Return the event of a line in UTF-8. Raises GrammarError."""
    return EventReader(zone).read_line(raw)


def implausible(at: datetime) -> str:
    """Return the reason why a time can't be right, or an empty text."""
    if at < EARLIEST:
        return f"the event's time is before {EARLIEST:%Y-%m-%d}"
    return "the event's time is more than a day in the future" if at > datetime.now(UTC) + AHEAD else ""


def _split(raw: bytes) -> tuple[datetime, dict[str, Any]]:
    """Return the time of a line in UTF-8, and the other fields of its event."""
    if len(raw) > MAX_LINE:
        raise GrammarError(f"the line is longer than {MAX_LINE} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise GrammarError("the line is not UTF-8") from error
    return _split_json(text) if text.startswith("{") else split(text)


def _split_json(text: str) -> tuple[datetime, dict[str, Any]]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GrammarError("the line is not a JSON object") from error
    line = given.get("event")
    if line is None:
        return _split_fields(given)
    if not isinstance(line, str):
        raise GrammarError("`event` is not a text")
    return split(line)


def _split_fields(given: Mapping[str, Any]) -> tuple[datetime, dict[str, Any]]:
    try:
        at = datetime.fromisoformat(next((value for name in TIMES if (value := given.get(name))), ""))
    except (TypeError, ValueError) as error:
        raise GrammarError("`at` is not an ISO date and time") from error
    operation = _operation(given.get("operation") or given.get("type"))
    if "target" in given:
        texts = {name: _text(given, name) for name in ("target", "app", "detail")}
    else:
        texts = {"target": ""} | _exported(operation, given, at)
    _check(operation, texts, given)
    return at, texts | {"operation": operation, "executable": _text(given, "executable")}


def _check(operation: Operation, texts: Mapping[str, str], given: Mapping[str, Any]) -> None:
    """Raise GrammarError for texts that no event with this operation has."""
    target = texts["target"]
    if not target and operation not in CONTEXT:
        exported = EXPORTED[operation]
        raise GrammarError(f"`{exported}` names nothing" if exported in given else "`target` is empty")
    if operation is Operation.WEB_VISIT and target.split() != [target]:
        raise GrammarError("a visit's `target` is a domain, without spaces")
    if operation is Operation.TIME_CONTEXT and not re.fullmatch("[1-7] [0-9]{1,2}", f"{target} {texts['detail']}"):
        raise GrammarError("a time context's `target` is a weekday from 1 to 7, its `detail` an hour")


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


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name) or ""
    if not isinstance(value, str):
        raise GrammarError(f"`{name}` is not a text")
    return clean(value)
