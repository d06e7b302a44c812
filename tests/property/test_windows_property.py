"""Windows that slide over a stream give the stream back."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from data.windows import WindowedPair, feed, stream


def slid(lines: Sequence[str], size: int, step: int = 1) -> list[WindowedPair]:
    return [(list(lines[end - size : end]), lines[end]) for end in range(size, len(lines), step)]


@settings(deadline=None)
@given(st.text("abc", min_size=6, max_size=30), st.integers(1, 5))
def test_each_window_ends_what_was_fed_so_far(lines: str, size: int) -> None:
    fed_so_far: list[str] = []
    for fed in feed(slid(lines, size)):
        fed_so_far += fed.new
        assert fed_so_far[-size:] == list(fed.inputs)
        fed_so_far.append(fed.output)


@given(st.lists(st.integers().map(str), unique=True, min_size=6, max_size=30), st.integers(1, 5))
def test_lines_that_differ_come_back_as_they_were(lines: list[str], size: int) -> None:
    assert stream(slid(lines, size)) == lines
