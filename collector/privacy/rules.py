"""Privacy rules: an ordered list of small functions that change or drop events before the store sees them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from threading import Lock
from typing import Any

from collector.privacy.secrets import redact_secrets
from collector.privacy.titles import drop_chromium_title, drop_title, make_title_hasher
from memo.clock import pauses
from memo.clock.pauses import Pause
from memo.core.bounded import BoundedDict
from memo.core.events import Event, Operation
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import PrivacySettings
from memo.privacy.exclude import Matcher
from memo.privacy.exclusions import make_exclusions
from memo.privacy.normalize import map_texts

Rule = Callable[[Event], Event | None]
"""Returns the event as it may be stored, or None to drop it."""
Rules = Sequence[tuple[str, Rule]]
"""Names and rules, in the order in which they apply."""

PAUSED = "paused"
TITLES_KEPT = "titles_kept"
SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
LEAST_USE_S = 1  # of a usage that a pause has cut
CACHED = 1_024  # events that are remembered: nine of ten repeat one
DECISIVE = ("operation", "target", "app", "detail", "executable", "source")  # fields of an event that rules look at
WITHHELD = "withheld by a privacy rule"  # in place of a text that a rule drops


def make_rules(settings: PrivacySettings, home: Home) -> Rules:
    """Return the rules that the settings ask for.

    Raises MemoError if one of them cannot be applied; nothing may be stored then.
    """
    changing: list[tuple[str, Rule | None]] = [
        ("chromium_titles", None if settings.chromium_titles else drop_chromium_title),
        ("secrets", redact_secrets),
        (TITLES_KEPT, _title_rule(settings, home)),
    ]
    dropping = [(name, _drop_matching(matchers)) for name, matchers in make_exclusions(settings).items()]
    return dropping + [(name, rule) for name, rule in changing if rule]


def make_pause_rules(home: Home) -> Rules:
    """Return the rule that keeps what lies outside of all pauses, however late a source reports it, or no rule."""
    spans = pauses.spans(home)
    return [(PAUSED, lambda event: _outside(event, spans))] if spans else []


def _outside(event: Event, spans: Sequence[Pause]) -> Event | None:
    """Return an event, or the part of an app's usage outside of the pauses; None if all of it lies within them."""
    used_s = _used_s(event)
    if not used_s:
        return None if any(span.covers(event.at) for span in spans) else event
    at = event.at.timestamp()
    used = [(at - used_s, at)]
    for span in spans:
        used = [part for since, until in used for part in span.without(since, until)]
    if used == [(at - used_s, at)]:
        return event
    left_s = sum(until - since for since, until in used)
    if left_s < LEAST_USE_S:
        return None
    return replace(event, at=event.at - timedelta(seconds=at - used[-1][1]), detail=f"{left_s:.0f}")


def _used_s(event: Event) -> float:
    """Return for how many seconds an app was used until the event; 0 if it is about something else."""
    is_usage = event.operation is Operation.APP_USAGE and SECONDS.fullmatch(event.detail)
    return float(event.detail) if is_usage else 0.0


def _drop_matching(matchers: Sequence[Matcher]) -> Rule:
    def drop(event: Event) -> Event | None:
        for matches in matchers:  # faster than `any`, and run for each event
            if matches(event):
                return None
        return event

    return drop


def _title_rule(settings: PrivacySettings, home: Home) -> Rule | None:
    if settings.titles_kept == "hashed":
        return make_title_hasher(home.title_key)
    return drop_title if settings.titles_kept == "none" else None


def apply_to(event: Event, rules: Rules) -> tuple[Event | None, list[str]]:
    """Return the event as it may be stored, or None, and the rules that changed or dropped it."""
    current: Event | None = _clean(event)
    names = []
    for name, rule in rules:
        before = current
        current = rule(before) if before is not None else None
        if current is not before:
            names.append(name)
    return current, names


_decisive = attrgetter(*DECISIVE)


class CachedRules:
    """Rules that do the same to events with equal operation, texts and source: what they leave as it is, they know.

    What they change or drop is not remembered, so that its texts do not stay in memory.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._unchanged: BoundedDict[Any, None] = BoundedDict(CACHED)
        self._lock = Lock()  # sources call from threads of their own

    def apply_to(self, event: Event, before: Rules) -> tuple[Event | None, list[str]]:
        """Return what the function `apply_to` does; the rules `before`, which look at times, are applied first."""
        current, names = apply_to(event, before)
        if current is None or (texts := _decisive(current)) in self._unchanged:
            return current, names
        kept, more = apply_to(current, self.rules)
        if not more:
            with self._lock:
                self._unchanged[texts] = None
        return kept, names + more


def _clean(event: Event) -> Event:
    """Clean and cut the event's texts, so that no rule reads a title of a megabyte."""
    texts = event.target + event.app + event.detail + event.executable
    return event if clean(texts) == texts else map_texts(event, clean)  # one check for all: most are clean


def redact_text(text: str, rules: Rules) -> str:
    """Return a text, such as an error that names a file or a title, in a form that may be logged."""
    event = Event(datetime.now(UTC), Operation.WINDOW_FOCUS, text)
    kept, _ = apply_to(event, [(name, rule) for name, rule in rules if name != TITLES_KEPT])
    return kept.target if kept else WITHHELD
