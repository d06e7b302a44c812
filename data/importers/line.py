"""One event from one line: an event line, or a JSON object."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal

from memo.errors import GrammarError
from memo.events import CONTEXT, Event, Operation
from memo.grammar import MAX_LINE, clean, parse

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)
"""How far a clock may be ahead of ours."""


@dataclass(frozen=True, slots=True)
class Reject:
    """What could not be read: its place and why, never its text."""

    unit: Literal["line", "offset"]
    place: int
    reason: str
    sha256: str

    @classmethod
    def of(cls, unit: Literal["line", "offset"], place: int, reason: str, raw: bytes) -> "Reject":
        """The reject of these bytes."""
        return cls(unit, place, reason, hashlib.sha256(raw).hexdigest())


def too_long(raw: bytes) -> bool:
    """Whether a line has more than `MAX_LINE` bytes."""
    return len(raw) > MAX_LINE


def read_line(raw: bytes, zone: tzinfo) -> Event:
    """The event of a line in UTF-8. Raises GrammarError."""
    if too_long(raw):
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
    """Why a time can't be right, or nothing."""
    if at < EARLIEST:
        return f"the event's time is before {EARLIEST:%Y-%m-%d}"
    return "the event's time is more than a day in the future" if at > datetime.now(UTC) + AHEAD else ""


def _from_json(text: str, zone: tzinfo) -> Event:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GrammarError("the line is no JSON object") from error
    line = given.get("event")
    if line is None:
        return from_fields(given, zone)
    if not isinstance(line, str):
        raise GrammarError("`event` is no text")
    return parse(line, zone)


def from_fields(given: Mapping[str, Any], zone: tzinfo) -> Event:
    """The event of named fields; a time without an offset is in `zone`. Raises GrammarError."""
    try:
        at = datetime.fromisoformat(given.get("at") or given.get("timestamp") or "")
    except (TypeError, ValueError) as error:
        raise GrammarError("`at` is no ISO date and time") from error
    try:
        operation = Operation(given.get("operation", ""))
    except ValueError as error:
        raise GrammarError(f"`operation` is none of {', '.join(Operation)}") from error
    target, app, detail, executable = (_text(given, name) for name in ("target", "app", "detail", "executable"))
    if not target and operation not in CONTEXT:
        raise GrammarError("`target` is empty")
    if operation is Operation.WEB_VISIT and target.split() != [target]:
        raise GrammarError("a visit's `target` is a domain, without spaces")
    if operation is Operation.TIME_CONTEXT and not (target in tuple("1234567") and re.fullmatch("[0-9]{1,2}", detail)):
        raise GrammarError("a time context's `target` is a weekday from 1 to 7, its `detail` an hour")
    aware = at if at.tzinfo else at.replace(tzinfo=zone)
    return Event(aware, operation, target, app, detail, executable=executable)


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name) or ""
    if not isinstance(value, str):
        raise GrammarError(f"`{name}` is no text")
    return clean(value)
