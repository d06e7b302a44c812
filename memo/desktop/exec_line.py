"""Parse the key Exec of a desktop entry into arguments, without a shell.

Source: Desktop Entry Specification 1.5 of freedesktop.org, "Value types" and "The Exec key".
"""

import re

_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
_QUOTED = r'"((?:[^"`$\\]|\\["`$\\])*)"'
_PLAIN = r"""([^\s"'\\<>~|&;$*?#()`]+)"""
_ARGUMENT = re.compile(rf"{_QUOTED}|{_PLAIN}")
_LINE = re.compile(rf" *(?:(?:{_QUOTED}|{_PLAIN})(?: +|$))+")
_FIELD = re.compile(r"%(.?)", re.S)
_FIELDS = frozenset("fFuUdDnNickvm")  # field codes for files, addresses, the icon etc., of which we pass none


def arguments(value: str) -> list[str]:
    """Return program and arguments without field codes. Raises ValueError if the specification forbids the value."""
    line = re.sub(r"\\(.?)", lambda found: _ESCAPES.get(found[1], found[0]), value, flags=re.S)
    if not _LINE.fullmatch(line):
        raise ValueError("Exec is not quoted as the specification demands")
    found = []
    for quoted, plain in _ARGUMENT.findall(line):
        word = _FIELD.sub(_expand_field, plain)
        if not plain or word:  # a word that was only a field code is dropped
            found.append(re.sub(r"\\(.)", r"\1", quoted) if not plain else word)
    return found


def _expand_field(found: re.Match[str]) -> str:
    if found[1] == "%":
        return "%"
    if found[1] not in _FIELDS or not found[1]:
        raise ValueError(f"Exec has an unknown field code %{found[1]}")
    return ""
