"""The key Exec of a desktop entry as a list of arguments, for no shell.

Source: Desktop Entry Specification 1.5 of freedesktop.org, "Value types" and "The Exec key".
"""

import re

_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
_QUOTED = r'"((?:[^"`$\\]|\\["`$\\])*)"'
_PLAIN = r"""([^\s"'\\<>~|&;$*?#()`]+)"""
_ARGUMENT = re.compile(rf"{_QUOTED}|{_PLAIN}")
_LINE = re.compile(rf" *(?:(?:{_QUOTED}|{_PLAIN})(?: +|$))+")
_FIELD = re.compile(r"%(.?)", re.S)
_FIELDS = frozenset("fFuUdDnNickvm")
"""Stand for files, addresses, the icon and the like, of which none is given here."""


def arguments(value: str) -> list[str]:
    """Program and arguments, the field codes left out. Raises ValueError for what the specification does not allow."""
    line = re.sub(r"\\(.?)", _unescape, value, flags=re.S)
    if not _LINE.fullmatch(line):
        raise ValueError("Exec is not quoted as the specification says")
    found = []
    for quoted, plain in _ARGUMENT.findall(line):
        word = _FIELD.sub(_no_field, plain)
        if not plain or word:  # a word that was only a field is none
            found.append(re.sub(r"\\(.)", r"\1", quoted) if not plain else word)
    return found


def _unescape(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[1], found[0])


def _no_field(found: re.Match[str]) -> str:
    if found[1] == "%":
        return "%"
    if found[1] not in _FIELDS or not found[1]:
        raise ValueError(f"Exec has a field %{found[1]} that the specification does not name")
    return ""
