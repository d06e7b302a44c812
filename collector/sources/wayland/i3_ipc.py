"""The messages of sway's and i3's socket. Source: https://i3wm.org/docs/ipc.html and sway-ipc(7)."""

import json
import struct
from typing import Any

SUBSCRIBE, GET_TREE = 2, 4
WORKSPACE, WINDOW = 0x80000000, 0x80000003
"""Events."""
LONGEST = 16 * 1024 * 1024
"""Bytes of a message; a tree of 1,000 windows has about 1 MB."""

_MAGIC = b"i3-ipc"
_HEAD = struct.Struct("=6sII")

Message = tuple[int, Any]
"""Its type, and its JSON; None where that can't be read."""


def message(kind: int, text: str = "") -> bytes:
    """A message as it is sent."""
    payload = text.encode()
    return _HEAD.pack(_MAGIC, len(payload), kind) + payload


class Frames:
    """Cuts what comes from the socket into messages."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are whole now. Raises ConnectionError where the other side speaks no i3-ipc."""
        self._rest += data
        found = []
        while len(self._rest) >= _HEAD.size:
            magic, length, kind = _HEAD.unpack_from(self._rest)
            if magic != _MAGIC or length > LONGEST:
                raise ConnectionError("sway's socket sent what is no i3-ipc message")
            end = _HEAD.size + length
            if len(self._rest) < end:
                break
            found.append((kind, _read(bytes(self._rest[_HEAD.size : end]))))
            del self._rest[:end]
        return found


def _read(payload: bytes) -> Any:
    try:
        return json.loads(payload.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
