"""Any ActivityWatch event is read or refused."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from collector.sources.activitywatch.aw_server import Bucket
from collector.sources.activitywatch.aw_timeline import read_observation
from memo.core.errors import GrammarError

ZONE = timezone(timedelta(hours=8))
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
WINDOW, TAB, AFK = (Bucket(f"aw-{kind}_pc", kind, "pc") for kind in ("currentwindow", "web.tab.current", "afkstatus"))
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner)
)


@given(
    st.sampled_from([WINDOW, TAB, AFK]),
    st.fixed_dictionaries({"timestamp": st.just(START.isoformat()) | JSON, "duration": JSON, "data": JSON}) | JSON,
)
def test_any_event_is_read_or_a_grammar_error(bucket: Bucket, given_one: Any) -> None:
    try:
        read_observation(bucket, given_one, ZONE)
    except GrammarError as error:
        assert "\n" not in str(error)
