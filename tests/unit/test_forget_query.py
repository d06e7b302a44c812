"""Which entries of predictions name a site."""

from datetime import UTC, datetime

import pytest

from forget.query import ForgetQuery

QUERY = ForgetQuery(site="https://Shop.example/offers")


def entry(target: str, operation: str = "web_visit") -> dict[str, object]:
    return {"action": {"operation": operation, "target": target, "place": ""}, "text": "\u8bbf\u95ee"}


@pytest.mark.parametrize("target", ["shop.example", "SHOP.Example", "www.shop.example", "\u017fhop.example"])
def test_site_is_named_in_any_case_and_script(target: str) -> None:
    assert QUERY.forgets_entry(entry(target))


@pytest.mark.parametrize("target", ["\u8bbf\u95ee other.example", "shop_example", "myshop.example", "example"])
def test_other_sites_are_not_named(target: str) -> None:
    assert not QUERY.forgets_entry(entry(target))


def test_no_entry_is_named_outside_of_visits_and_in_a_time_span() -> None:
    assert not QUERY.forgets_entry(entry("shop.example", "process_start"))
    assert not ForgetQuery(site="shop.example", since=datetime.now(UTC)).forgets_entry(entry("shop.example"))
