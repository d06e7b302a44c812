"""Titles in the encoding that X had before UTF-8, which xterm and Tk still write.

Source: Compound Text Encoding 1.1 of the X Consortium.
"""

import re

_SWITCH = re.compile(rb"\x1b(\$?[()-][@-~]|%[G@])")
_WIDE = {"A": "gb2312", "B": "euc_jp", "C": "euc_kr"}
"""Of two bytes a character, by the last letter of the switch to it."""
_NARROW = dict(zip("ABCDFGHLM", (1, 2, 3, 4, 7, 6, 8, 5, 9), strict=True))
"""Upper halves, by the same: parts of ISO 8859."""


def decode(text: bytes) -> str:
    """The text; empty where a part of it is in a character set that we can't read: better no title than a wrong one."""
    lower, upper = "ascii", "iso8859-1"
    words = []
    first, *rest = _SWITCH.split(text)
    try:
        words.append(_read(first, lower, upper))
        for switch, part in zip(rest[::2], rest[1::2], strict=True):
            lower, upper = _switched(switch.decode(), lower, upper)
            words.append(_read(part, lower, upper))
    except (UnicodeDecodeError, KeyError):
        return ""
    return "".join(words)


def _switched(switch: str, lower: str, upper: str) -> tuple[str, str]:
    """What bytes below and above 0x80 mean after it. Raises KeyError for a set that is not known."""
    kind, last = switch[:-1], switch[-1]
    if kind == "%":
        return ("utf-8", "utf-8") if last == "G" else ("ascii", "iso8859-1")
    if kind == "(":
        return {"B": "ascii", "J": "ascii"}[last], upper
    if kind == "$(":
        return _WIDE[last], upper
    return lower, _WIDE[last] if kind == "$)" else f"iso8859-{_NARROW[last]}"


def _read(part: bytes, lower: str, upper: str) -> str:
    if b"\x1b" in part:
        raise KeyError(part)  # a switch of another kind
    if lower == "utf-8":
        return part.decode()
    runs = re.findall(rb"[\x00-\x20]+|[\x21-\x7f]+|[\x80-\xff]+", part)
    return "".join(_run(run, lower if run[0] < 0x80 else upper) for run in runs)


def _run(run: bytes, charset: str) -> str:
    if charset in _WIDE.values() and run[0] > 0x20:
        run = bytes(byte | 0x80 for byte in run)
    return run.decode(charset)
