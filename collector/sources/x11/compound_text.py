"""The encoding that X used before UTF-8 and that xterm and Tk still write.

Source: Compound Text Encoding 1.1 of the X Consortium.
"""

import re

_SWITCH = re.compile(rb"\x1b(\$?[()-][@-~]|%[G@])")
_WIDE = {"A": "gb2312", "B": "euc_jp", "C": "euc_kr"}  # last letter of a switch -> encoding with 2 bytes a character
_NARROW = dict(zip("ABCDFGHLM", (1, 2, 3, 4, 7, 6, 8, 5, 9), strict=True))  # -> part of ISO 8859, for the upper half


def decode(text: bytes) -> str:
    """Return the text; empty if a part of it is in an unknown character set."""
    lower, upper = "ascii", "iso8859-1"
    parts = []
    first, *rest = _SWITCH.split(text)
    try:
        parts.append(_decode_part(first, lower, upper))
        for switch, part in zip(rest[::2], rest[1::2], strict=True):
            lower, upper = _switch_to(switch.decode(), lower, upper)
            parts.append(_decode_part(part, lower, upper))
    except (UnicodeDecodeError, KeyError):
        return ""
    return "".join(parts)


def _switch_to(switch: str, lower: str, upper: str) -> tuple[str, str]:
    """Return the encodings of bytes below and above 0x80 after a switch. Raises KeyError for an unknown set."""
    kind, last = switch[:-1], switch[-1]
    if kind == "%":
        return ("utf-8", "utf-8") if last == "G" else ("ascii", "iso8859-1")
    if kind == "(":
        return {"B": "ascii", "J": "ascii"}[last], upper
    if kind == "$(":
        return _WIDE[last], upper
    return lower, _WIDE[last] if kind == "$)" else f"iso8859-{_NARROW[last]}"


def _decode_part(part: bytes, lower: str, upper: str) -> str:
    if b"\x1b" in part:
        raise KeyError(part)  # an unknown kind of switch
    if lower == "utf-8":
        return part.decode()
    runs = re.findall(rb"[\x00-\x20]+|[\x21-\x7f]+|[\x80-\xff]+", part)
    return "".join(_decode_run(run, lower if run[0] < 0x80 else upper) for run in runs)


def _decode_run(run: bytes, charset: str) -> str:
    if charset in _WIDE.values() and run[0] > 0x20:
        run = bytes(byte | 0x80 for byte in run)
    return run.decode(charset)
