"""Checkpoints: weights learned online."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from db.models import CheckpointRow
from db.upsert import build_upserts, execute


def find_weights(session: Session, scope: str, version: str, generation: int) -> CheckpointRow | None:
    """Return the weights of a scope under a version, or None if there are none of this generation."""
    row = session.get(CheckpointRow, (scope, version))
    return row if row is not None and row.generation == generation else None


def has_weights(session: Session, scope: str, version: str) -> bool:
    """Return whether there are weights of any generation; without, weights in memory are not to be used either."""
    return session.get(CheckpointRow, (scope, version)) is not None


def delete_weights(session: Session, scopes: Sequence[str]) -> None:
    """Delete the weights of scopes, under all versions."""
    session.execute(delete(CheckpointRow).where(CheckpointRow.scope.in_(scopes)))


def record_weights(
    session: Session, scope: str, version: str, generation: int, seq: int, weights: dict[str, Any]
) -> None:
    """Store the weights as of an event."""
    row = {"scope": scope, "version": version, "generation": generation, "seq": seq, "weights": weights}
    execute(session, _REPLACING, row)


_REPLACING = build_upserts(
    CheckpointRow, ("scope", "version"), lambda new: {name: new[name] for name in ("generation", "seq", "weights")}
)
