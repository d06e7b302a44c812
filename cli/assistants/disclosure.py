"""The facts that an assistant may learn: none that is excluded now, and titles only if the settings say so."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from collector.privacy.titles import drop_title
from db.intake import events
from memo.core.events import Action, Event, Operation
from memo.core.predictions import action_as_dict, action_from_dict, place_from_dict
from memo.core.settings import Settings
from memo.display.text import safe
from memo.privacy.exclusions import as_bare_event, make_event_matcher

LONGEST_NAME = 160  # characters of a title, a name, a site or a folder

Told = dict[str, Any]


class Disclosure:
    """Returns a scope's rows for an assistant, with every name shortened; None for one that it may not learn."""

    def __init__(self, settings: Settings, session: Session, scope: str) -> None:
        self._titles, self._session, self._scope = settings.mcp.titles, session, scope
        self._is_excluded = make_event_matcher(settings.privacy)

    def keep(self, event: Event) -> Event | None:
        """Return an event as it may be told."""
        if self._is_excluded(event):
            return None
        return event if self._titles else drop_title(event)

    def tell_event(self, event: Event) -> Told | None:
        """Return the action of an event."""
        kept = self.keep(event)
        return {name: shorten(text) for name, text in action_as_dict(kept.action).items()} if kept else None

    def tell_action(self, given: dict[str, str]) -> Told | None:
        """Return an action that a prediction names."""
        return self.tell_event(as_bare_event(action_from_dict(given)))

    def tell_place(self, given: Told) -> Told | None:
        """Return a place that a prediction names."""
        operation, name = place_from_dict(given)
        action = Action(Operation(operation), name, "" if operation == Operation.WEB_VISIT else name)
        told = self.tell_action(action_as_dict(action))
        if told is None or not (self._titles or self._is_name(action)):
            return None
        return {"operation": operation, "name": told["target"], "probability": given["probability"]}

    def tell_likely(self, entries: Iterable[Told]) -> list[Told]:
        """Return actions of which at most one comes next; those that look the same without titles count as one."""
        found: dict[tuple[str, ...], Told] = {}
        for entry in entries:
            if action := self.tell_action(entry["action"]):
                first = found.setdefault(tuple(action.values()), {"action": action, "probability": 0.0})
                first["probability"] = round(first["probability"] + entry["probability"], 6)
        return sorted(found.values(), key=lambda one: -one["probability"])

    def tell_places(self, places: Iterable[Told]) -> list[Told]:
        """Return places of a prediction, best first."""
        return [told for place in places if (told := self.tell_place(place))]

    def _is_name(self, place: Action) -> bool:
        """Return whether the name of a place is no title: that of a window without an app is one."""
        if place.operation is not Operation.WINDOW_FOCUS:
            return True
        return events.has_action(self._session, self._scope, place._replace(target=""))


def shorten(text: str) -> str:
    """Return a text of a bounded length, without characters that a terminal acts on."""
    return safe(text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…")
