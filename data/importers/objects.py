"""The objects of a JSON array, one by one: the array is never whole in memory, and a bad object spoils no other."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from memo.core.grammar import MAX_LINE

CHUNK = 1 << 17
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}]', re.S)
"""A text, a quote that opens one without an end, or a brace outside of texts."""
BEFORE = b" \t\r\n\xef\xbb\xbf"
"""What may stand before an array: space, and a byte order mark."""
_BETWEEN = BEFORE + b",[]"


def split(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """The objects that stand whole in `data`, each with its offset, and where the rest begins.

    What stands between two objects and is none is given too, as it stands.
    """
    found, depth, start, end = [], 0, 0, 0
    for token in _TOKEN.finditer(data):
        if token[0] == b'"':
            break
        if token[0] == b"{":
            if not depth:
                start = token.start()
            depth += 1
        elif token[0] == b"}" and depth:
            depth -= 1
            if not depth:
                if other := data[end:start].strip(_BETWEEN):
                    found.append((end, other))
                end = token.end()
                found.append((start, data[start:end]))
    return found, end


def raw_objects(file: BinaryIO) -> Iterator[bytes]:
    """The objects of a file; of one that is too long or has no end, its beginning."""
    rest = b""
    while chunk := file.read(CHUNK):
        found, end = split(data := rest + chunk)
        yield from (raw for _, raw in found)
        rest = data[end:]
        if len(rest) > MAX_LINE:
            yield rest
            rest = b""
    if rest := rest.strip(_BETWEEN):
        yield rest
