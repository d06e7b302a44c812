"""What a column or a message holds is read as it was written, and as the standard library reads it."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from memo.store import json_text

HALF = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])  # as in undecodable file names
TEXTS = st.text() | st.text(HALF, min_size=1)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)


@given(VALUES)
def test_a_value_is_read_as_it_was_written(value: object) -> None:
    text = json_text.as_text(value)
    assert json_text.decode(text) == json.loads(text) == value


@given(VALUES)
def test_what_earlier_versions_wrote_is_read(value: object) -> None:
    assert json_text.decode(json.dumps(value)) == value


def test_an_integer_of_more_than_64_bits_is_written() -> None:
    assert json_text.encode({"n": 2**70}) == b'{"n":1180591620717411303424}'


def test_what_is_no_number_is_written_as_null_and_read() -> None:
    assert json_text.encode([math.nan, -math.inf]) == b"[null,null]"
    assert json_text.decode("[-Infinity]") == [-math.inf]
