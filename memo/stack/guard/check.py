"""Check a message of the task queue, which anybody who reaches the broker may have written.

Nothing of it is passed on but the task, its arguments, its id and when it expires: Celery obeys some twenty headers,
and one that is malformed ends the worker, which then receives it again.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from memo.core.errors import MemoError
from memo.core.settings import SCOPE_PATTERN
from memo.stack.task_queue import ACT, LOOK

MAX_BODY = 10_000  # bytes; ours have fewer than 500
MAX_SCOPE = 255  # characters
MAX_ID = 2**63  # of a row
YEARS = range(2000, 2200)  # of a time that can be converted to any zone
EMBEDDED = ("callbacks", "errbacks", "chain", "chord")  # the further tasks that a body may ask for

ARGUMENTS: dict[str, Callable[[list[Any]], bool]] = {
    LOOK: lambda given: [*map(type, given)] == [str] and _is_scope(given[0]),
    ACT: lambda given: [*map(type, given)] == [int] and 0 < given[0] < MAX_ID,
}
"""Whether the arguments of a task are what it takes."""


class RefusedError(MemoError):
    """A message of the queue is not one of ours; its words are the reason."""


def check(headers: Any, body: Any, tasks: Mapping[str, object]) -> tuple[dict[str, Any], bytes]:
    """Return headers and body that hold what was checked and nothing else. Raises RefusedError."""
    if not isinstance(headers, dict):
        raise RefusedError("has no headers")
    name, number = headers.get("task"), headers.get("id")
    if not isinstance(name, str) or name not in ARGUMENTS or name not in tasks:
        raise RefusedError("names no task of this process")
    if not isinstance(number, str) or not re.fullmatch(r"[0-9A-Za-z-]{1,64}", number):
        raise RefusedError("has no id")
    arguments = _arguments(body)
    if not ARGUMENTS[name](arguments):
        raise RefusedError("has arguments that its task does not take")
    kept = {"lang": "py", "task": name, "id": number, "root_id": number, "expires": _expires(headers.get("expires"))}
    return (
        kept | {"retries": 0, "timelimit": [None, None], "eta": None, "ignore_result": True},
        json.dumps([arguments, {}, dict.fromkeys(EMBEDDED)]).encode(),
    )


def _arguments(body: Any) -> list[Any]:
    if len(body or b"") > MAX_BODY:
        raise RefusedError(f"is larger than {MAX_BODY} bytes")
    try:
        parts = json.loads(body if isinstance(body, str) else bytes(body))
    except (ValueError, TypeError, RecursionError) as error:
        raise RefusedError("is not JSON") from error
    match parts:
        case [list() as arguments, dict() as named, dict()] if not named:
            return arguments
    raise RefusedError("does not have the form of a task")


def _expires(given: Any) -> str | None:
    if given is None:
        return None
    with suppress(ValueError, TypeError):
        at = datetime.fromisoformat(given)
        if at.year in YEARS and at.tzinfo is not None:
            return at.astimezone(UTC).isoformat()
    raise RefusedError("has no valid time of expiry")


def _is_scope(text: str) -> bool:
    has_surrogates = any("\ud800" <= character <= "\udfff" for character in text)
    return len(text) <= MAX_SCOPE and bool(re.fullmatch(SCOPE_PATTERN, text)) and not has_surrogates
