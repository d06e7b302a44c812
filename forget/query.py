"""What a person wants forgotten: an app, a site, a text, a time, all; what is given holds together."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, true

from db.models import EventRow
from memo.core.events import Operation
from memo.core.sites import domain

APP_OPERATIONS = {Operation.PROCESS_START, Operation.PROCESS_END, Operation.APP_USAGE}
"""Operations whose target is an app."""


def plain(text: str) -> str:
    """A text as it is compared: without regard to case, in any script."""
    return unicodedata.normalize("NFC", text).casefold()


@lru_cache(4_096)
def _site(text: str) -> str:
    """A site as it is compared: its name alone, of a name or an address."""
    return plain(domain(text) or text)


@dataclass(frozen=True, slots=True)
class ForgetQuery:
    """Empty strings and None ask for nothing; with none of them, everything is wanted.

    `app` and `site` are whole names, an app also under the names `known_as`, a site with all below it; `text` is a part
    of any text. `until` is the first moment that stays.
    """

    app: str = ""
    site: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    scope: str | None = None
    known_as: frozenset[str] = frozenset()
    """By `plain`."""

    @property
    def timed(self) -> bool:
        """Whether a span of time is meant: outside of it the same may still be named."""
        return self.since is not None or self.until is not None

    @property
    def everything(self) -> bool:
        """Whether nothing is left."""
        return not (self.app or self.site or self.text or self.timed)

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """Those on events that the database can judge: scope and time."""
        return [
            EventRow.scope == self.scope if self.scope is not None else true(),
            EventRow.at >= self.since if self.since is not None else true(),
            EventRow.at < self.until if self.until is not None else true(),
        ]

    def names(self, operation: str, target: str, app: str, texts: Iterable[str]) -> bool:
        """Whether an act, with the texts that go with it, is of the app and the site and has the text."""
        return (
            (not self.app or bool(self.apps(operation, target, app)))
            and (not self.site or (operation == Operation.WEB_VISIT and self._is_below(target)))
            and (not self.text or any(plain(self.text) in plain(one) for one in (target, app, *texts)))
        )

    def apps(self, operation: str, target: str, app: str) -> set[str]:
        """What the app is called in an act; empty where it is of another one."""
        named = {app, target if operation in APP_OPERATIONS else ""} - {""}
        return {name for name in named if plain(name) == plain(self.app) or plain(name) in self.known_as}

    def means_launch(self, app: str, first: datetime, last: datetime, texts: Iterable[str]) -> bool:
        """The same of a launch of an app, some time between two."""
        in_time = (self.since is None or last >= self.since) and (self.until is None or first < self.until)
        return in_time and self.names(Operation.PROCESS_START, app, "", texts)

    def _is_below(self, target: str) -> bool:
        return f".{_site(target)}".endswith(f".{_site(self.site)}")

    def names_entry(self, entry: dict[str, Any]) -> bool:
        """The same of a candidate or of what is upcoming, as it stands in rows, messages and files."""
        action = entry["action"]
        app = action["place"] if action["operation"] == Operation.WINDOW_FOCUS else ""
        texts = (action["place"], entry.get("text", ""), entry.get("executable", ""))
        return self.names(action["operation"], action["target"], app, texts)
