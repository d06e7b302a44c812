"""No text keeps control characters in the live view."""

from hypothesis import given
from hypothesis import strategies as st

from memo.display.text import safe


@given(st.text())
def test_no_text_keeps_what_a_terminal_obeys(text: str) -> None:
    shown = safe(text)
    assert len(shown) == len(text)
    assert all(character.isprintable() or character not in "\x1b\x9b\n\r\t\u202e" for character in shown)
