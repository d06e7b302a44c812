"""Any export is split and read, or refused."""

import json
from datetime import datetime, timedelta, timezone
from io import BytesIO
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from data.importers.line import read_line
from data.importers.objects import raw_objects, split
from memo.core.errors import GrammarError
from memo.core.events import Operation

ZONE = timezone(timedelta(hours=8))
AT = datetime(2026, 3, 2, 9, 15, 4, tzinfo=ZONE)
STAMP = {"timestamp": "2026-03-02T09:15:04"}


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["application", "window_title", "url", "title", "file_path", "duration", "executable"]),
        st.text() | st.none() | st.integers() | st.floats() | st.lists(st.text()),
    ),
    st.sampled_from([*Operation, "browser_history"]),
)
def test_any_fields_are_an_event_or_a_grammar_error(fields: dict[str, Any], name: str) -> None:
    try:
        event = read_line(json.dumps(STAMP | {"type": name} | fields).encode(), ZONE)
    except GrammarError as error:
        assert "\n" not in str(error)
    else:
        assert (event.at, bool(event.target)) == (AT, event.operation is not Operation.SESSION_START)


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.dictionaries(st.text(), st.text()))))
def test_objects_are_found_as_they_were_written(objects: list[dict[str, Any]]) -> None:
    raw = json.dumps(objects, ensure_ascii=False).encode(errors="surrogatepass")
    assert [json.loads(one.decode(errors="surrogatepass")) for one in raw_objects(BytesIO(raw))] == objects


@given(st.binary())
def test_any_bytes_are_split_and_the_rest_is_known(data: bytes) -> None:
    pieces, end = split(data)
    assert 0 <= end <= len(data)
    assert all(data[offset:].strip().startswith(raw[:1]) or raw in data[offset:] for offset, raw in pieces)
