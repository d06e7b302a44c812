"""Secrets in titles, names and paths: each is found by its form and replaced by a mark; the rest of the text stays."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from memo.core.events import Event, Operation
from memo.core.grammar import MAX_TEXT
from memo.privacy.normalize import CACHE_SIZE, map_texts, to_plain

MARK = "[redacted]"
CUT = 256  # characters removed from the end of a truncated text, which may end within a secret
MIN_CARD_DIGITS = 13  # ISO/IEC 7812-1
MAX_CARD_DIGITS = 19
MIN_CHANGES = 0.4  # share of neighbours of different kinds in a random key; words, names and paths have fewer
MAX_SYMBOLS = 0.1  # share of characters in a random key that are neither letters nor digits

# No pattern backtracks: repetitions are possessive, or begin only where a run begins.
_NAMED = (
    r"(?:pass(?:word|wort|wd|phrase|code)|kennwort|contraseña|mot de passe|senha|密码|口令|密钥|パスワード|secret|token"
    r"|(?:api|access|private|secret)[ _-]?key|authorization|session[_-]?id)(?:s|_\w{0,20}+)?"
)
_AFTER_NAME = re.compile(  # a secret may have several words: it ends where the title's next part begins
    rf"((?:{_NAMED}|\b(?:pwd|pin|otp|cvv|cvc))[\"']?\s{{0,3}}+[=:]\s{{0,3}}+|--?{_NAMED}[\s=]\s{{0,3}}+)"
    r"\S.*?(?=\s[-–—|·]\s|$)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(\b(?:bearer|basic)\s{1,3}+)[\w.~+/-]{12,}+=*", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^\s/@]++@")
_MAIL = re.compile(r"(?<![\w.%+'-])[\w.%+'-]++@[\w-]++(?:\.[\w-]++)++")
_KEY = re.compile(  # keys with a known prefix: AWS, GitHub, GitLab, Slack, Google, Stripe and others, JWT, SSH
    r"(?<![A-Za-z0-9])(?:A(?:KIA|SIA|GPA|IDA|ROA|NPA|NVA|BIA|CCA)[A-Z0-9]{16}|gh[a-z]_\w{20,}+|github_pat_\w{20,}+"
    r"|glpat-[\w-]{16,}+|xox[a-z]-[\w-]{10,}+|xapp-[\w-]{10,}+|AIza[\w-]{30,}+|ya29\.[\w-]++"
    r"|[srp]k_(?:live|test)_\w{10,}+|sk-[\w-]{16,}+|npm_\w{30,}+|pypi-[\w-]{16,}+|hf_\w{20,}+"
    r"|eyJ[\w-]{8,}+(?:\.[\w-]*+){0,4}|\d{8,10}:[\w-]{35}|AAAA[BCE][\w+/]{20,}+=*)"
)
_HEX = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32,}+")
_DIGITS = re.compile(r"(?<!\d)\d(?:[ ./_–—-]{0,3}\d){12,}+")
_DATE = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_RUN = re.compile(r"(?<![A-Za-z0-9+_-])[A-Za-z0-9+_-]{20,}+={0,2}")
_PATH_RUN = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,}+={0,2}")  # a key may also contain slashes


def redact_secrets(event: Event) -> Event:
    """Return the event with its secrets replaced by marks; the same object if it has none."""
    if event.operation is Operation.WEB_VISIT:  # a query or fragment is not part of the site
        site = re.split(r"[?#]", event.target, maxsplit=1)[0]
        event = event if site == event.target else replace(event, target=site)
    return map_texts(event, hide_secrets)


@lru_cache(CACHE_SIZE)
def hide_secrets(text: str) -> str:
    """Return the text with a mark for each secret; in its plain form if it has one."""
    hidden = shown = to_plain(text)
    for pattern, replacement in _STEPS:
        hidden = pattern.sub(replacement, hidden)
    kept = text if hidden == shown else hidden
    return kept[: MAX_TEXT - CUT] if len(text) >= MAX_TEXT else kept


def _hide_cards(found: re.Match[str]) -> str:
    """Return the digits with a mark for each possible card number."""
    text, groups = found[0], list(re.finditer(r"\d+", found[0]))
    kept, copied, start = "", 0, 0
    while start < len(groups):
        end = _card_end(groups, start)
        if end:
            kept += text[copied : groups[start].start()] + MARK
            copied = groups[end - 1].end()
        start = end or start + 1
    return kept + text[copied:]


def _card_end(groups: list[re.Match[str]], start: int) -> int:
    """Return the end of the longest run of groups with a card number's length and checksum; 0 if there is none."""
    number, longest = "", 0
    for end in range(start + 1, len(groups) + 1):
        number += groups[end - 1][0]
        if len(number) > MAX_CARD_DIGITS:
            break
        if len(number) >= MIN_CARD_DIGITS and _has_luhn_checksum(number) and not _DATE.match(number):
            longest = end
    return longest


def _has_luhn_checksum(number: str) -> bool:
    """Return whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2]]
    return (sum(map(int, number[-1::-2])) + sum(doubled)) % 10 == 0


def _hide_random(found: re.Match[str]) -> str:
    """Return a mark for a run that looks random, else the run."""
    run = found[0].rstrip("=")
    kinds = ["a" if char.islower() else "A" if char.isupper() else "0" if char.isdigit() else "-" for char in run]
    changes = sum(kind != following for kind, following in pairwise(kinds))
    is_random = changes >= MIN_CHANGES * (len(run) - 1) and kinds.count("-") <= MAX_SYMBOLS * len(run)
    return MARK if {"a", "A", "0"} <= set(kinds) and is_random else found[0]


_STEPS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_AFTER_NAME, rf"\1{MARK}"),
    (_BEARER, rf"\1{MARK}"),
    (_USER, f"{MARK}@"),
    (_MAIL, MARK),
    (_KEY, MARK),
    (_HEX, MARK),
    (_DIGITS, _hide_cards),
    (_RUN, _hide_random),
    (_PATH_RUN, _hide_random),
)
"""Patterns and their replacements, in the order in which they apply."""
