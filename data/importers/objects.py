"""Read the objects of a JSON array one by one, without the whole array in memory; a bad object spoils no other."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from memo.core.grammar import MAX_LINE

CHUNK = 1 << 17  # bytes
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}]', re.S)
"""A string, a quote that opens a string without an end, or a brace outside of strings."""
BEFORE = b" \t\r\n\xef\xbb\xbf"  # allowed before an array: white space and a byte order mark
_BETWEEN = BEFORE + b",[]"


def split(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Return the complete objects in `data`, each with its offset, and the offset of the rest.

    Anything else between two objects is returned like an object, so that it is rejected.
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
    """Yield the objects of a file; of one over the limit or without an end, its beginning."""
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
