"""Build the messages of predictions that are read in a session."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from db.intake.events import as_event
from db.models import EventRow, PredictionRow
from memo.core.grammar import Language
from memo.messaging.message import prediction_message
from memo.messaging.stored_messages import find_outcomes
from memo.store.public_views import as_postgres


def build_messages(
    session: Session, rows: Iterable[tuple[PredictionRow, EventRow]], language: Language
) -> list[dict[str, Any]]:
    """Return the message of each prediction, given with the event that it follows."""
    connection = session.connection()
    is_postgres = connection.dialect.name == "postgresql"

    def query(statement: str, values: Sequence[Any]) -> list[Any]:
        statement = as_postgres(statement) if is_postgres else statement
        return list(connection.exec_driver_sql(statement, tuple(values)))

    return [
        prediction_message(
            prediction, as_event(event), find_outcomes(query, prediction.id, prediction.scope, event.seq), language
        )
        for prediction, event in rows
    ]
