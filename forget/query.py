"""A query: the app, site, text, time span or scope that a person wants forgotten. All given conditions must hold."""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from memo.core.events import APP_OPERATIONS, Operation
from memo.core.sites import domain

IsNamed = Callable[[str], bool]
"""Whether a name is that of the site or the app."""


@lru_cache(4_096)
def fold(text: str) -> str:
    """Return a text in the form in which texts are compared: without regard to case, in any script."""
    return unicodedata.normalize("NFC", text).casefold()


@lru_cache(4_096)
def fold_site(text: str) -> str:
    """Return the domain of a site or address, in the form in which texts are compared."""
    return fold(domain(text) or text)


@dataclass(frozen=True, slots=True)
class ForgetQuery:
    """Conditions on what is forgotten. Empty strings and None set no condition; without any, everything matches.

    `app` is a whole name, and `site` a domain or an address that matches all subdomains too; `text` is part of any
    text. `since` is the first moment that matches, `until` the first one after it that does not.
    """

    app: str = ""
    site: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    scope: str | None = None
    known_as: frozenset[str] = frozenset()
    """Further names of the app, folded; see `forget.match.resolve_app`."""

    @property
    def is_timed(self) -> bool:
        """Whether the query has a time span, outside of which the same names may stay."""
        return self.since is not None or self.until is not None

    @property
    def is_everything(self) -> bool:
        """Whether no event of the scope stays."""
        return not (self.app or self.site or self.text or self.is_timed)

    @property
    def is_all(self) -> bool:
        """Whether no event of any scope stays."""
        return self.is_everything and self.scope is None

    @property
    def operations(self) -> Collection[Operation]:
        """Operations of what may match."""
        return (Operation.WEB_VISIT,) if self.site else tuple(Operation)

    def matches_event(self, operation: str, target: str, app: str, texts: Iterable[str]) -> bool:
        """Return whether an event, whose other texts are `texts`, meets the conditions on app, site and text."""
        return (
            (not self.app or bool(self.matching_apps(operation, target, app)))
            and (not self.site or (operation in self.operations and self._is_below(target)))
            and (not self.text or any(fold(self.text) in fold(field) for field in (target, app, *texts)))
        )

    def named_in(self, operation: str) -> Mapping[str, IsNamed]:
        """Return the fields, `target` or `app`, of which one is enough for an event to be about the site or the app."""
        if self.site:  # an app, too, may be given, but has more events
            return {"target": self._is_below} if operation in self.operations else {}
        return dict.fromkeys(("target", "app") if operation in APP_OPERATIONS else ("app",), self._is_app)

    def matching_apps(self, operation: str, target: str, app: str) -> set[str]:
        """Return the names by which an event names the app; empty if it is about another app."""
        names = {app, target if operation in APP_OPERATIONS else ""} - {""}
        return set(filter(self._is_app, names))

    def matches_launch(self, app: str, first: datetime, last: datetime, texts: Iterable[str]) -> bool:
        """Return whether a launch of an app, at some time from `first` to `last`, meets all but the scope."""
        in_time = (self.since is None or last >= self.since) and (self.until is None or first < self.until)
        return in_time and self.matches_event(Operation.PROCESS_START, app, "", texts)

    def forgets_entry(self, entry: dict[str, Any]) -> bool:
        """Return whether an entry with an action, as in rows, messages and files, meets app, site and text.

        With a time span none does, as its action may stay outside of that.
        """
        if self.is_timed:
            return False
        action = entry["action"]
        app = action["place"] if action["operation"] == Operation.WINDOW_FOCUS else ""
        texts = (action["place"], entry.get("text", ""), entry.get("executable", ""))
        return self.matches_event(action["operation"], action["target"], app, texts)

    def _is_app(self, name: str) -> bool:
        return fold(name) == fold(self.app) or fold(name) in self.known_as

    def _is_below(self, target: str) -> bool:
        return f".{fold_site(target)}".endswith(f".{fold_site(self.site)}")
