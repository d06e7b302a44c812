"""Secrets in titles, names and paths: found by their pattern and put out with a mark; the rest of the text stays."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from collector.privacy.normalize import CACHED, plain, respell
from memo.core.events import Event, Operation
from memo.core.grammar import MAX_TEXT

MARK = "[redacted]"
CUT = 256
"""A text that was cut may end within a secret, so that much more of it goes."""
SHORTEST_CARD, LONGEST_CARD = 13, 19
"""Digits of a card's number, by ISO/IEC 7812-1."""
MIXED, MARKS = 0.4, 0.1
"""Of a random key's neighbours at least that share are of different kinds, and at most that share of it are no letters
or digits; words, names and paths are not so."""

# Each pattern is done in one pass: what may repeat is possessive, or begins only where a run begins.
_NAMED = (
    r"(?:pass(?:word|wort|wd|phrase|code)|kennwort|contraseña|mot de passe|senha|密码|口令|密钥|パスワード|secret|token"
    r"|(?:api|access|private|secret)[ _-]?key|authorization|session[_-]?id)(?:s|_\w{0,20}+)?"
)
_AFTER_NAME = re.compile(
    rf"((?:{_NAMED}|\b(?:pwd|pin|otp|cvv|cvc))[\"']?\s{{0,3}}+[=:]\s{{0,3}}+|--?{_NAMED}[\s=]\s{{0,3}}+)"
    r"\S.*?(?=\s[-–—|·]\s|$)",
    re.IGNORECASE,
)
"""A secret may have more than one word: it ends where a title's next part begins."""
_BEARER = re.compile(r"(\b(?:bearer|basic)\s{1,3}+)[\w.~+/-]{12,}+=*", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^\s/@]++@")
_MAIL = re.compile(r"(?<![\w.%+'-])[\w.%+'-]++@[\w-]++(?:\.[\w-]++)++")
_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:A(?:KIA|SIA|GPA|IDA|ROA|NPA|NVA|BIA|CCA)[A-Z0-9]{16}|gh[a-z]_\w{20,}+|github_pat_\w{20,}+"
    r"|glpat-[\w-]{16,}+|xox[a-z]-[\w-]{10,}+|xapp-[\w-]{10,}+|AIza[\w-]{30,}+|ya29\.[\w-]++"
    r"|[srp]k_(?:live|test)_\w{10,}+|sk-[\w-]{16,}+|npm_\w{30,}+|pypi-[\w-]{16,}+|hf_\w{20,}+"
    r"|eyJ[\w-]{8,}+(?:\.[\w-]*+){0,4}|\d{8,10}:[\w-]{35}|AAAA[BCE][\w+/]{20,}+=*)"
)
"""Keys that say what they are: those of AWS, GitHub, GitLab, Slack, Google, Stripe and others, JWT, SSH."""
_HEX = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32,}+")
_DIGITS = re.compile(r"(?<!\d)\d(?:[ ./_–—-]{0,3}\d){12,}+")
_DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_RUN = re.compile(r"(?<![A-Za-z0-9+_-])[A-Za-z0-9+_-]{20,}+={0,2}")
_PATH_RUN = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,}+={0,2}")
"""A key may have slashes in it, and may stand between two."""


def secrets(event: Event) -> Event:
    """The event with what is secret put out; the same object where nothing is."""
    if event.operation is Operation.WEB_VISIT:  # what is asked of a site is no part of it
        site = re.split(r"[?#]", event.target, maxsplit=1)[0]
        event = event if site == event.target else replace(event, target=site)
    return respell(event, hide)


@lru_cache(CACHED)
def hide(text: str) -> str:
    """The text with a mark for each secret; where there is one, as it looks."""
    hidden = seen = plain(text)
    for pattern, change in _STEPS:
        hidden = pattern.sub(change, hidden)
    kept = text if hidden == seen else hidden
    return kept[: MAX_TEXT - CUT] if len(text) >= MAX_TEXT else kept


def _cards(found: re.Match[str]) -> str:
    """The digits without what may be a card's number among them."""
    text, groups, kept, place, start = found[0], list(re.finditer(r"\d+", found[0])), "", 0, 0
    while start < len(groups):
        end = _card_end(groups, start)
        if end:
            kept, place = kept + text[place : groups[start].start()] + MARK, groups[end - 1].end()
        start = end or start + 1
    return kept + text[place:]


def _card_end(groups: list[re.Match[str]], start: int) -> int:
    """Where the longest run of groups ends that has a card's length and sum; 0 where there is none."""
    number, found = "", 0
    for end in range(start + 1, len(groups) + 1):
        number += groups[end - 1][0]
        if len(number) > LONGEST_CARD:
            break
        if len(number) >= SHORTEST_CARD and _luhn(number) and not _DATE.match(number):
            found = end
    return found


def _luhn(number: str) -> bool:
    """Whether the last digit is the check of the others, by annex B of the same."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2]]
    return (sum(map(int, number[-1::-2])) + sum(doubled)) % 10 == 0


def _mixed(found: re.Match[str]) -> str:
    """The mark for a run that looks random, else the run."""
    run = found[0].rstrip("=")
    kinds = ["a" if one.islower() else "A" if one.isupper() else "0" if one.isdigit() else "-" for one in run]
    changes = sum(one != other for one, other in pairwise(kinds))
    is_random = changes >= MIXED * (len(run) - 1) and kinds.count("-") <= MARKS * len(run)
    return MARK if {"a", "A", "0"} <= set(kinds) and is_random else found[0]


_STEPS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_AFTER_NAME, rf"\1{MARK}"),
    (_BEARER, rf"\1{MARK}"),
    (_USER, f"{MARK}@"),
    (_MAIL, MARK),
    (_KEY, MARK),
    (_HEX, MARK),
    (_DIGITS, _cards),
    (_RUN, _mixed),
    (_PATH_RUN, _mixed),
)
"""Each pattern and what takes the place of what it finds, in this order."""
