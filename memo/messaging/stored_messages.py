"""Rebuild prediction messages from the store's public views."""

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, cast

from memo.core.events import Event, Operation
from memo.core.grammar import Language
from memo.messaging.message import JudgedPrediction, Outcomes, Predicted, SettledPrediction, prediction_message
from memo.store.public_views import Query, find_rows

EVENT_COLUMNS: dict[str, type] = {
    "event_seq": int,
    "event_at": datetime,
    "event_utc_offset_s": int,
    "event_operation": str,
    "event_target": str,
    "event_app": str,
    "event_detail": str,
}
MESSAGE_COLUMNS: dict[str, type] = {
    "id": int,
    "scope": str,
    "made_at": datetime,
    "model_version": str,
    "candidates": list,
    "upcoming": list,
    "new_probability": float,
    "places": list,
    "new_place": float,
    "person": list,
    "latency_ms": float,
    **EVENT_COLUMNS,
}
OUTCOME_COLUMNS: dict[str, type] = {"id": int, "outcome_rank": int, **EVENT_COLUMNS}
PERSON_COLUMNS: dict[str, type] = {"id": int, "place_rank": int, "person_rank": int, **EVENT_COLUMNS}
UPCOMING_COLUMNS: dict[str, type] = {"id": int, "upcoming_rank": int, **EVENT_COLUMNS}


def find_messages_after(
    query: Query, prediction_id: int, limit: int, language: Language, since: datetime | None = None
) -> list[dict[str, Any]]:
    """Return the messages of the next `limit` predictions by id, of all scopes, published at or after `since`."""
    conditions = {"id > ?": prediction_id} | ({} if since is None else {"published_at >= ?": since})
    rows = find_rows(query, "prediction_messages", MESSAGE_COLUMNS, conditions, "id", limit)
    return [
        prediction_message(
            cast(Predicted, SimpleNamespace(**row)),
            _event(row),
            find_outcomes(query, row["id"], row["scope"], row["event_seq"]),
            language,
        )
        for row in rows
    ]


def find_outcomes(query: Query, prediction_id: int, scope: str, seq: int) -> Outcomes:
    """Return the earlier predictions that the message of a prediction settles; the event it follows has this `seq`.

    Their outcomes are among the events after the previous prediction's newest event, up to that event.
    """
    earlier = {"scope = ?": scope, "event_seq <= ?": seq, "id < ?": prediction_id}
    previous = find_rows(query, "prediction_messages", {"event_seq": int}, earlier, "event_seq DESC", 1)
    if not previous:
        return Outcomes()
    news = earlier | {"event_seq > ?": previous[0]["event_seq"]}
    settled = find_rows(query, "prediction_outcomes", OUTCOME_COLUMNS, news, "id")
    judged = find_rows(query, "prediction_person_outcomes", PERSON_COLUMNS, news, "id")
    wanted = find_rows(query, "prediction_upcoming_outcomes", UPCOMING_COLUMNS, news, "id")
    return Outcomes(
        [SettledPrediction(row["id"], row["outcome_rank"], _event(row)) for row in settled],
        [JudgedPrediction(row["id"], row["place_rank"], row["person_rank"], _event(row)) for row in judged],
        [SettledPrediction(row["id"], row["upcoming_rank"], _event(row)) for row in wanted],
    )


def _event(row: dict[str, Any]) -> Event:
    """Return the event in a row, with its time on the event's own clock."""
    clock = timezone(timedelta(seconds=row["event_utc_offset_s"]))
    return Event(
        row["event_at"].astimezone(clock),
        Operation(row["event_operation"]),
        row["event_target"],
        row["event_app"],
        row["event_detail"],
    )
