"""Any scope has a routing key."""

from hypothesis import given
from hypothesis import strategies as st

from memo.messaging.message import routing_key


@given(st.text(max_size=400))
def test_a_routing_key_is_one_word_of_bounded_length(scope: str) -> None:
    key = routing_key(scope)
    assert not set(key) & set(".*# \n") and len(key.encode()) <= 255
