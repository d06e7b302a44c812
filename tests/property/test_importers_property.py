"""Any bytes are an event or a grammar error."""

from datetime import timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from data.importers.line import read_line
from memo.core.errors import GrammarError
from memo.core.events import Event

ZONE = timezone(timedelta(hours=8))


@settings(deadline=None)
@given(st.binary() | st.binary().map(lambda end: b"2026-03-02 09:00:00 - Started app: " + end))
def test_any_bytes_are_an_event_or_a_grammar_error(raw: bytes) -> None:
    try:
        assert isinstance(read_line(raw, ZONE), Event)
    except GrammarError as error:
        assert "\n" not in str(error)
