"""Messages on sway's and i3's socket. Source: https://i3wm.org/docs/ipc.html and sway-ipc(7)."""

import json
import socket
import struct
import time
from pathlib import Path
from typing import Any

RUN_COMMAND = 0
SUBSCRIBE = 2
GET_TREE = 4
WORKSPACE = 0x80000000  # event
WINDOW = 0x80000003  # event
MAX_BYTES = 16 * 1024 * 1024  # of a message; a tree of 1,000 windows has about 1 MB

PART_BYTES = 65_536  # read at once

_MAGIC = b"i3-ipc"
_HEAD = struct.Struct("=6sII")

Message = tuple[int, Any]
"""A message's type and its parsed JSON, or None if that is invalid."""


def message(kind: int, text: str = "") -> bytes:
    """Return a message as bytes to send."""
    payload = text.encode()
    return _HEAD.pack(_MAGIC, len(payload), kind) + payload


class MessageReader:
    """Splits the bytes from the socket into messages."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that are complete now. Raises ConnectionError if the data is not i3-ipc."""
        self._rest += data
        messages = []
        while len(self._rest) >= _HEAD.size:
            magic, length, kind = _HEAD.unpack_from(self._rest)
            if magic != _MAGIC or length > MAX_BYTES:
                raise ConnectionError("sway's socket sent something that is not an i3-ipc message")
            end = _HEAD.size + length
            if len(self._rest) < end:
                break
            messages.append((kind, _parse(bytes(self._rest[_HEAD.size : end]))))
            del self._rest[:end]
        return messages


def ask(path: Path, kind: int, text: str = "", *, wait_s: float) -> Any:
    """Return the answer to a message on a socket. Raises OSError if it is not there after `wait_s`."""
    reader, deadline = MessageReader(), time.monotonic() + wait_s
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(wait_s)
        connection.connect(str(path))
        connection.sendall(message(kind, text))
        while data := connection.recv(PART_BYTES):
            for _, answer in reader.feed(data):
                return answer
            connection.settimeout(max(0.0, deadline - time.monotonic()))
    raise ConnectionResetError("sway has closed its socket")


def _parse(payload: bytes) -> Any:
    try:
        return json.loads(payload.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
