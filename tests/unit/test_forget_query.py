"""Which entries of predictions name a site."""

from datetime import UTC, datetime

import pytest

from forget.query import ForgetQuery
from memo.core.events import Operation

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


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("query", [QUERY, ForgetQuery(app="GIMP"), ForgetQuery(app="gimp", site="shop.example")])
@pytest.mark.parametrize("event", [{"target": "gimp", "app": ""}, {"target": "shop.example", "app": "Gimp"}])
def test_what_matches_is_named_in_one_of_its_fields(
    operation: Operation, query: ForgetQuery, event: dict[str, str]
) -> None:
    is_named = any(decide(event[field]) for field, decide in query.named_in(operation).items())
    assert is_named or not query.matches_event(operation, event["target"], event["app"], ())


def test_only_fields_that_can_name_it_are_looked_at() -> None:
    assert set(QUERY.named_in(Operation.WEB_VISIT)) == {"target"} and not QUERY.named_in(Operation.WINDOW_FOCUS)
    assert set(ForgetQuery(app="gimp").named_in(Operation.WINDOW_FOCUS)) == {"app"}, "and not in its titles"
