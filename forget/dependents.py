"""Find the predictions that depend on what a query matches, without reading those of other days."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from sqlalchemy.orm import Session

from db.intake.scopes import find_scope_names
from db.prediction import amendment, predicted_names
from db.prediction.predicted_names import Day, Name, Which
from db.upkeep import deletion
from forget.match import Matches
from memo.core.predictions import place_as_entries


@dataclass(frozen=True)
class Dependents:
    """The ids of the predictions that depend on what a query matches, and how many dispatches go with them."""

    followers: list[int]
    """Those that follow a matched event; they go."""
    amended: list[int]
    """Those that settled on a matched event, or name what no event may name any more; they lose only that."""
    dispatches: int
    days: list[Day]
    """Scopes and days whose record of what predictions name is to be read again: those of all these and the events."""


def find_dependents(session: Session, matches: Matches) -> Dependents:
    """Return the predictions that depend on what a query matches."""
    days = _find_naming_days(session, matches)
    followers = deletion.find_linked(session, matches.ids, deletion.FOLLOWED)
    settled = deletion.find_linked(session, matches.ids, deletion.SETTLED_ON)
    naming = set(_find_naming(session, matches, days))
    amended = sorted((settled | naming) - followers)
    named = amendment.find_named_dispatches(session, amended, matches.includes_entry)
    dispatches = deletion.count_dispatches(session, sorted(followers)) + len(named)
    # those of the events, too, as a call that was interrupted may have deleted what followed them
    days |= predicted_names.find_days_of(session, [*followers, *amended])
    for scope, times in matches.times.items():
        days |= {(scope, day.isoformat()) for day in {at.date() for at in times}}
    return Dependents(sorted(followers), amended, dispatches, sorted(days))


def _find_naming(session: Session, matches: Matches, days: Iterable[Day]) -> Iterator[int]:
    query, within = matches.query, [predicted_names.made_on(*day) for day in days]
    if query.text and not query.is_timed:  # a page title is part of an entry, but of no action
        within = [predicted_names.made_in(query.scope)]
    for which in within:
        for number, scope, places, *lists in predicted_names.find_entries(session, which):
            if any(matches.includes_entry(scope, entry) for entry in chain(*map(place_as_entries, places), *lists)):
                yield number


def _find_naming_days(session: Session, matches: Matches) -> set[Day]:
    """Return the scopes and days of predictions that may name what no event may name any more."""
    which = chain(predicted_names.match_actions(matches.orphans), _find_forgotten_names(session, matches))
    return set(predicted_names.find_days(session, which))


def _find_forgotten_names(session: Session, matches: Matches) -> Iterator[Which]:
    """Yield conditions of the rows of actions that meet the query, whenever these happened."""
    query = matches.query
    if query.is_timed:
        return

    def is_forgotten(name: Name) -> bool:
        operation, place, target = name
        of_place = [] if target else place_as_entries({"operation": operation, "name": place})
        entries = [{"action": {"operation": operation, "place": place, "target": target}}, *of_place]
        return any(map(query.forgets_entry, entries))

    for scope in find_scope_names(session, query.scope):
        yield from predicted_names.find_named(session, scope, query.operations, is_forgotten, by_place=not query.text)
