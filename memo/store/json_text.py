"""JSON as columns and messages hold it, which is written and read several times for each prediction.

orjson takes a tenth of the standard library's time. The standard library does what only it can: write half of a
surrogate pair, or read NaN. NaN and infinity are written as null, which every database takes.
"""

import json
from typing import Any

import orjson


def encode(value: Any) -> bytes:
    """Return a value as compact JSON in UTF-8. Raises TypeError for a value that neither library writes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def as_text(value: Any) -> str:
    """Return a value as compact JSON."""
    return encode(value).decode()


def decode(text: str | bytes) -> Any:
    """Return the value of a JSON text; an integer of more than 64 bits becomes a float. Raises ValueError."""
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)
