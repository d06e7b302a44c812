"""Window titles as xterm and Tk write them, in the encoding before UTF-8."""

import pytest

from collector.sources.x11.compound_text import decode


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (b"plain", "plain"),
        (b"caf\xe9", "café"),
        (b"\x1b$(A18\x1b$(BCm", "备注"),  # as Xlib writes it: each character in the first set that has it
        (b"\x1b$(A18W\x22\x1b(B - xterm \xe9", "备注 - xterm é"),
        (b"\x1b$)A\xb1\xb8\xd7\xa2 x", "备注 x"),
        (b"\x1b$(C1983", "국립"),
        (b"\x1b-L\xbf\xe0\xd8\xd2\xd5\xe2", "Привет"),
        (b"a \x1b%G\xf0\x9f\x98\x80\x1b%@ \xe9", "a 😀 é"),
    ],
)
def test_decode_supports_each_character_set(text: bytes, title: str) -> None:
    assert decode(text) == title


@pytest.mark.parametrize(
    "text", [b"a \x1b$(Gxx", b"\x1b%/1\x80\x8bbig5-0\x02xx", b"\x1b$(A1", b"\x1b", b"\x1b%G\xff\x1b%@"]
)
def test_decode_unknown_set_returns_nothing(text: bytes) -> None:
    assert decode(text) == ""
