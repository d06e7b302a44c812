"""Take what is forgotten out of stored predictions, and keep the rest of them."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.intake import counts
from db.intake.events import chunks
from db.intake.scopes import lock_scope
from db.models import DispatchRow, PredictionRow
from db.prediction.predictions import FORGOTTEN
from memo.core.predictions import place_as_entries

Entry = dict[str, Any]
IsNamed = Callable[[str, Entry], bool]
"""Returns whether an entry with an action, of a scope, names what is forgotten."""


def delete_mentions(session: Session, ids: Sequence[int], is_named: IsNamed, event_ids: Collection[int]) -> int:
    """Take out entries that are named, outcomes that are one of the events, and dispatches whose action is named.

    What handlers said of other dispatches is taken out, too, if it contains one of these names. All else stays as it
    was shown: probabilities, and the ranks of other outcomes. Return the number of dispatches.
    """
    which = PredictionRow.id.in_(ids)
    for scope in sorted(session.scalars(select(PredictionRow.scope).where(which).distinct())):
        lock_scope(session, scope)
    rows = session.scalars(select(PredictionRow).where(which)).all()
    words = {row.id: _words(row, is_named, event_ids) for row in rows}
    dispatches = find_named_dispatches(session, ids, is_named)
    with counts.record_changes(session, ids):
        for row in rows:
            _clear_outcomes(row, event_ids)
            _take_out(row, is_named)
        for dispatch in dispatches:
            session.delete(dispatch)
        session.flush()
    for dispatch in _find_dispatches(session, ids):
        said = dispatch.detail + json.dumps(dispatch.result, ensure_ascii=False)
        if any(word in said for word in words[dispatch.prediction_id]):
            dispatch.detail, dispatch.result = "", None
    return len(dispatches)


def find_named_dispatches(session: Session, ids: Sequence[int], is_named: IsNamed) -> list[DispatchRow]:
    """Return the dispatches on these predictions whose action is named."""
    return [row for row in _find_dispatches(session, ids) if is_named(row.scope, {"action": row.action})]


def _find_dispatches(session: Session, ids: Sequence[int]) -> Iterator[DispatchRow]:
    for chunk in chunks(ids):
        yield from session.scalars(select(DispatchRow).where(DispatchRow.prediction_id.in_(chunk)))


def _words(row: PredictionRow, is_named: IsNamed, event_ids: Collection[int]) -> set[str]:
    """Return the names that are taken out of a prediction."""
    places = chain.from_iterable(map(place_as_entries, row.places))
    entries = chain(row.candidates, row.upcoming, row.person, places)
    named = (entry for entry in entries if is_named(row.scope, entry))
    words = {part for entry in named for part in (entry["action"]["target"], entry["action"]["place"])}
    outcome = row.outcome_target if row.outcome_event_id in event_ids else None
    return {word for word in (*words, outcome) if word}


def _clear_outcomes(row: PredictionRow, event_ids: Collection[int]) -> None:
    if row.outcome_event_id in event_ids:
        row.outcome_event_id = row.outcome_target = row.outcome_rank = None
        row.outcome_operation = FORGOTTEN
    if row.person_event_id in event_ids:
        row.person_event_id = row.place_rank = row.person_rank = None
        row.is_late = False
    if row.upcoming_event_id in event_ids:
        row.upcoming_event_id = row.upcoming_rank = None


def _take_out(row: PredictionRow, is_named: IsNamed) -> None:
    def without(entries: list[Entry]) -> list[Entry]:
        return [entry for entry in entries if not is_named(row.scope, entry)]

    def is_named_place(place: Entry) -> bool:
        return any(is_named(row.scope, entry) for entry in place_as_entries(place))

    places = [place for place in row.places if not is_named_place(place)]
    if places != row.places:
        row.places, row.new_place = places, max(0.0, 1 - sum(place["probability"] for place in places))
    row.candidates, row.upcoming, row.person = map(without, (row.candidates, row.upcoming, row.person))
    _flatten(row)


def _flatten(row: PredictionRow) -> None:
    """Set the columns of the first candidate."""
    if not row.candidates:
        row.operation = row.target = row.app = row.probability = row.expected_at = None
        return
    first = row.candidates[0]
    row.operation, row.target, row.app = (first["action"][name] for name in ("operation", "target", "place"))
    row.probability, row.expected_at = first["probability"], datetime.fromisoformat(first["expected_at"])
