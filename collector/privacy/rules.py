"""What must not be stored is changed or left out here, before the store sees it: an ordered list of small rules."""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from collector.privacy import exclude
from collector.privacy.exclude import Test
from collector.privacy.normalize import respell
from collector.privacy.secrets import secrets
from collector.privacy.titles import Hashed, chromium_windows, untitled
from memo.core import pauses
from memo.core.events import Event, Operation
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import PrivacySettings

Rule = Callable[[Event], Event | None]
"""Gives the event as it may be stored, or None where it may not."""
Rules = Sequence[tuple[str, Rule]]
"""Name and rule, in the order in which they apply."""

PAUSED, TITLES_KEPT = "paused", "titles_kept"
NOW_PAUSED: tuple[str, Rule] = (PAUSED, lambda event: None)
"""While a pause goes on nothing is taken in, of whatever time it is."""
BUILTIN = Path(__file__).with_name("builtin.toml")


def rules(settings: PrivacySettings, home: Home) -> Rules:
    """The rules in force. Raises MemoError where one of them can't be kept: nothing may be stored then."""
    excluded: list[tuple[str, Sequence[Test]]] = [
        ("apps", [exclude.apps(settings.apps)] if settings.apps else []),
        ("sites", [exclude.sites(settings.sites), exclude.windows_of_sites(settings.sites)] if settings.sites else []),
        ("folders", [exclude.folders(settings.folders)] if settings.folders else []),
        ("titles", [exclude.titles(settings.titles)] if settings.titles else []),
        ("builtin", _builtin(BUILTIN) if settings.builtin else []),
    ]
    changing: list[tuple[str, Rule | None]] = [
        ("chromium_titles", None if settings.chromium_titles else chromium_windows),
        ("secrets", secrets),
        (TITLES_KEPT, _titles_kept(settings, home)),
    ]
    return [(name, _without(tests)) for name, tests in excluded if tests] + [
        (name, rule) for name, rule in changing if rule
    ]


def awake(home: Home) -> tuple[str, Rule]:
    """The rule that leaves out what was done in a pause, whenever a source tells of it."""
    spans = pauses.read(home)
    return PAUSED, lambda event: None if any(one.covers(event.at) for one in spans) else event


def _without(tests: Sequence[Test]) -> Rule:
    return lambda event: None if any(test(event) for test in tests) else event


def _builtin(file: Path) -> list[Test]:
    tables: Mapping[str, Mapping[str, list[str]]] = tomllib.loads(file.read_text(encoding="utf-8"))
    known = {"apps": exclude.apps, "sites": exclude.sites, "folders": exclude.folders, "titles": exclude.known_titles}
    return [make([one for table in tables.values() for one in table.get(key, [])]) for key, make in known.items()]


def _titles_kept(settings: PrivacySettings, home: Home) -> Rule | None:
    if settings.titles_kept == "hashed":
        return Hashed(home.title_key)
    return untitled if settings.titles_kept == "none" else None


def redact(events: Iterable[Event], rules: Rules) -> tuple[list[Event], Counter[str]]:
    """The events that may be stored, and how many each rule changed or left out."""
    kept, touched = [], Counter[str]()
    for event in events:
        current: Event | None = _cleaned(event)
        for name, rule in rules:
            before = current
            current = rule(before) if before is not None else None
            if current is not before:
                touched[name] += 1
        if current is not None:
            kept.append(current)
    return kept, touched


def _cleaned(event: Event) -> Event:
    """No rule shall have to read a title of a megabyte. (All texts at once, for most are clean.)"""
    texts = event.target + event.app + event.detail + event.executable
    return event if clean(texts) == texts else respell(event, clean)


def sayable(text: str, rules: Rules) -> str:
    """What may be logged of an error, which can name a file or a title: it is treated as a title."""
    kept, _ = redact(
        [Event(datetime.now(UTC), Operation.WINDOW_FOCUS, text)], [one for one in rules if one[0] != TITLES_KEPT]
    )
    return kept[0].target if kept else "its words are kept out by a privacy rule"
