"""What may name a site, in a text that nobody has decoded yet."""

import json
import sys

import pytest

from forget.query import LETTERS, ForgetQuery, fold


def test_letters_that_fold_to_ascii_are_all_known() -> None:
    letters = (chr(number) for number in range(0x80, sys.maxunicode + 1) if not 0xD800 <= number < 0xE000)
    folded = fold.__wrapped__
    assert {letter for letter in letters if any(map(str.isascii, folded(letter)))} == set(LETTERS)


@pytest.mark.parametrize("target", ["shop.example", "SHOP.Example", "www.shop.example", "\u017fhop.example"])
def test_what_names_the_site_is_not_passed_over(target: str) -> None:
    query = ForgetQuery(site="https://Shop.example/offers")
    entry = {"action": {"operation": "web_visit", "target": target, "place": ""}, "text": "\u8bbf\u95ee"}
    assert query.matches_entry(entry)
    assert all(query.may_be_in(json.dumps([entry], ensure_ascii=escaped)) for escaped in (True, False))


@pytest.mark.parametrize("target", ["\u8bbf\u95ee other.example", "shop_example", "key", "Iss"])
def test_what_names_no_site_is_passed_over(target: str) -> None:
    assert not ForgetQuery(site="shop.example").may_be_in(json.dumps([{"target": target}]))


@pytest.mark.parametrize("site", ["", "m\u00fcller.example", "xn--mller-kva.example", 'a"b'])
def test_any_text_may_name_a_site_that_is_no_plain_ascii(site: str) -> None:
    assert ForgetQuery(site=site).may_be_in("[]")
