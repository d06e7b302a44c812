"""The registry of trained versions; the built-in version has no row."""

import operator
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from db.intake import scopes
from db.models import ScopeRow, VersionRow
from memo.core.errors import UsageError
from memo.core.paths import Home
from memo.store import manifest

BUILTIN = "builtin"


class Usable(NamedTuple):
    """A version that can serve, with its folder (None for the built-in one), and why a newer one can't, if so."""

    name: str
    folder: Path | None
    problem: str = ""


def add_version(
    session: Session, version: str, scope: str, *, base: str, path: str, parent: str | None, metrics: dict[str, Any]
) -> VersionRow:
    """Add a trained version as a candidate."""
    row = VersionRow(
        id=version,
        scope=scope,
        created_at=datetime.now(UTC),
        base=base,
        path=path,
        parent=parent,
        state="candidate",
        metrics=metrics,
    )
    session.add(row)
    session.flush()
    return row


def find_version(session: Session, version: str) -> VersionRow:
    """Return a version. Raises UsageError if there is none of that name."""
    row = session.get(VersionRow, version)
    if row is None:
        raise UsageError(f"There is no version {version}; `memo model list` shows all versions.")
    return row


def find_versions(session: Session, scope: str | None = None) -> Sequence[VersionRow]:
    """Return the versions of a scope, or of all scopes, newest first."""
    query = select(VersionRow).order_by(VersionRow.created_at.desc())
    return session.scalars(query if scope is None else query.where(VersionRow.scope == scope)).all()


def find_serving(session: Session, scope: str, default_scope: str) -> VersionRow | None:
    """Return the version that serves a scope: its own, else that of the default scope, else None (the built-in one)."""
    for name in (scope, default_scope):
        row = session.get(ScopeRow, name)
        if row is not None and row.active_version is not None:
            return session.get(VersionRow, row.active_version)
    return None


def find_usable(session: Session, home: Home, base: str, scope: str, default_scope: str) -> Usable:
    """Return the version that serves a scope; where its files can't be used, the last one before it that can.

    `base` is the base model of the settings. The built-in version is always left.
    """
    row, problem, seen = find_serving(session, scope, default_scope), "", set[str]()
    while row is not None and row.id not in seen:
        if not (damage := _find_damage(row, home, base)):
            return Usable(row.id, home.version(row.path), problem and f"{problem}; {row.id} serves instead.")
        problem = problem or f"Version {row.id} is not used: {damage}"
        seen.add(row.id)
        replaces = row.metrics.get("replaces", {})
        row = session.get(VersionRow, replaces.get(scope, replaces.get(default_scope, BUILTIN)))
    return Usable(BUILTIN, None, problem and f"{problem}; the built-in version serves instead.")


def _find_damage(row: VersionRow, home: Home, base: str) -> str:
    if row.base != base:
        return f"it was trained on {row.base}, but model.base is {base}"
    return manifest.find_damage(home.version(row.path), row.metrics.get("content"))


def find_rules(session: Session) -> Sequence[list[str] | None]:
    """Return the digests of the privacy rules under which each version was trained or last checked."""
    return session.scalars(select(VersionRow.metrics["rules"])).all()


def count_rejected(session: Session, scope: str) -> int:
    """Return how many of a scope's newest judged versions were rejected in a row."""
    verdict = VersionRow.metrics["judged"]["promoted"].as_boolean()
    query = select(verdict).where(VersionRow.scope == scope, verdict.is_not(None))
    verdicts = session.scalars(query.order_by(VersionRow.created_at.desc()))  # the rest of the tables is not read
    return sum(1 for _ in takewhile(operator.not_, verdicts))


def find_in_service(session: Session) -> set[str]:
    """Return the versions that serve any scope."""
    return set(session.scalars(select(ScopeRow.active_version).where(ScopeRow.active_version.is_not(None))))


def record_active(session: Session, scope: str, version: str) -> None:
    """Let a version serve a scope from its next prediction on, and retire the one before."""
    scope_row = scopes.lock_scope(session, scope)
    if scope_row.active_version is not None and scope_row.active_version != version:
        before, scope_row.active_version = scope_row.active_version, None
        session.flush()
        if before not in find_in_service(session):  # it may serve another scope
            find_version(session, before).state = "retired"
    if version == BUILTIN:
        scope_row.active_version = None
        return
    find_version(session, version).state = "active"
    scope_row.active_version = version


def delete_versions(session: Session, names: Sequence[str]) -> None:
    """Delete versions; the built-in one serves where one of them did, or would after a rollback."""
    session.execute(update(ScopeRow).where(ScopeRow.active_version.in_(names)).values(active_version=None))
    session.execute(delete(VersionRow).where(VersionRow.id.in_(names)))
    for row in find_versions(session):
        replaces = row.metrics.get("replaces", {})
        if any(version in names for version in replaces.values()):
            left = {scope: BUILTIN if version in names else version for scope, version in replaces.items()}
            row.metrics = row.metrics | {"replaces": left}
