"""Any address gives a domain or nothing."""

from hypothesis import given
from hypothesis import strategies as st

from memo.core.grammar import clean
from memo.core.sites import domain


@given(st.text() | st.text().map(lambda rest: "https://" + rest) | st.text().map(lambda rest: "http://xn--" + rest))
def test_any_text_gives_a_domain_or_nothing(url: str) -> None:
    found = domain(url)
    assert found == clean(found) and found.split() == [found] * bool(found)
