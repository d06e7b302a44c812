"""Handlers: what a prediction sets off; entry-point group `memo.handlers`."""

import json
from collections.abc import Container
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from memo.core.errors import UsageError
from memo.core.grammar import clean
from memo.protocols import Handler, Home, MemoError, Settings

MAX_RESULT = 65_536  # characters of a result as JSON


def installed() -> list[str]:
    """Return the names of all installed handlers."""
    return sorted(entry.name for entry in entry_points(group="memo.handlers"))


def make(name: str, settings: Settings, home: Home) -> Handler:
    """Return a new handler. Raises LookupError if none has this name, and whatever the plug-in raises."""
    entry = next(iter(entry_points(group="memo.handlers", name=name)), None)
    if entry is None:
        raise LookupError(f"no handler is installed under the name {name}")
    handler: Handler = entry.load()(settings, home)
    return handler


def find_routes(name: str) -> tuple[str, ...]:
    """Return the settings that route to a handler once it is switched on. Raises UsageError if it can't be loaded."""
    try:
        [entry] = entry_points(group="memo.handlers", name=name)
        return tuple(getattr(entry.load(), "routed_by", Handler.routed_by))
    except Exception as error:  # whatever a plug-in raises when it is loaded
        raise UsageError(f"The handler {name} can't be loaded; install its package first.") from error


def showing_boxes(among: Container[str]) -> list[str]:
    """Return the names of the handlers among these that show a box."""
    entries = entry_points(group="memo.handlers")
    return sorted(entry.name for entry in entries if entry.name in among and _shows_box(entry))


def _shows_box(entry: EntryPoint) -> bool:
    try:
        return getattr(entry.load(), "box_rank", None) is not None
    except Exception:  # whatever a plug-in raises when it is loaded; it has shown nothing then
        return False


def reason(error: Exception) -> str:
    """Return the text to record of a failure; MEMO's own errors are whole sentences."""
    return clean(str(error) if isinstance(error, MemoError) else f"{type(error).__name__}: {error}")


def as_result(returned: Any) -> dict[str, Any]:
    """Return what `handle` returned, as it can be stored. Raises TypeError or ValueError unless it is a small dict."""
    if not isinstance(returned, dict):
        raise TypeError(f"handle returned {type(returned).__name__}, not a dict")
    text = json.dumps(returned, allow_nan=False)
    if len(text) > MAX_RESULT:
        raise ValueError(f"handle returned {len(text)} characters of JSON, at most {MAX_RESULT} are kept")
    result: dict[str, Any] = json.loads(text)
    return result
