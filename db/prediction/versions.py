"""The registry of trained versions; the built-in version has no row."""

import operator
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from db.intake import scopes
from db.models import ScopeRow, VersionRow
from memo.core.errors import UsageError
from memo.core.paths import Home
from memo.core.predictions import BUILTIN as BUILTIN
from memo.core.predictions import HISTORY as HISTORY
from memo.store import manifest

ROWLESS = (BUILTIN, HISTORY)  # can serve, and are no trained versions


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


def find_serving_name(session: Session, scope: str, default_scope: str) -> str:
    """Return the name of what serves a scope: its own version, else that of the default scope; `builtin` without one.

    It is `history` where no language model takes part.
    """
    found = session.execute(_SERVING, {"scopes": {scope, default_scope}})
    serving = {name: HISTORY if history_alone else active for name, active, history_alone in found}
    return serving.get(scope) or serving.get(default_scope) or BUILTIN


_SERVING = select(ScopeRow.name, ScopeRow.active_version, ScopeRow.history_alone.is_not(None)).where(
    ScopeRow.name.in_(bindparam("scopes", expanding=True))
)


def find_serving(session: Session, scope: str, default_scope: str) -> VersionRow | None:
    """Return the trained version that serves a scope, or None."""
    return session.get(VersionRow, find_serving_name(session, scope, default_scope))


def find_usable(session: Session, home: Home, base: str, scope: str, default_scope: str) -> Usable:
    """Return the version that serves a scope; where its files can't be used, the last one before it that can.

    `base` is the base model of the settings. The built-in version is always left, or history alone under another base.
    """
    return _find_usable_from(
        session, home, base, find_serving_name(session, scope, default_scope), (scope, default_scope)
    )


def find_usable_before(session: Session, home: Home, base: str, version: VersionRow, scope: str) -> Usable:
    """Return what a version replaced in a scope; if its files can't be used, the last one before it that can."""
    names = scope, version.scope
    return _find_usable_from(session, home, base, name_replaced(version, names), names)


def _find_usable_from(session: Session, home: Home, base: str, name: str, scopes: tuple[str, str]) -> Usable:
    problem, seen = "", set[str]()
    while name not in ROWLESS and (row := session.get(VersionRow, name)) is not None and name not in seen:
        if not (damage := _find_damage(row, home, base)):
            return Usable(name, home.version(row.path), problem and f"{problem}; {name} serves instead.")
        problem = problem or f"Version {name} is not used: {damage}"
        seen.add(name)
        name = name_replaced(row, scopes)
    name = HISTORY if name == HISTORY else find_untrained(base).name
    words = "the built-in version" if name == BUILTIN else "history alone"
    return Usable(name, None, problem and f"{problem}; {words} serves instead.")


def find_untrained(base: str) -> Usable:
    """Return what serves while no version is trained: the built-in one, which fits the built-in base only."""
    return Usable(BUILTIN if base == BUILTIN else HISTORY, None)


def name_replaced(version: VersionRow, scopes: tuple[str, ...]) -> str:
    """Return the name of what a version replaced in the first of these scopes in which it replaced something."""
    replaces = version.metrics.get("replaces", {})
    return str(next((replaces[scope] for scope in scopes if scope in replaces), BUILTIN))


def _find_damage(row: VersionRow, home: Home, base: str) -> str:
    if row.base != base:
        return f"it was trained on {row.base}, but model.base is {base}"
    return manifest.find_damage(home.version(row.path), row.metrics.get("content"))


def find_rules(session: Session) -> list[tuple[str, list[str] | None]]:
    """Return each version's path, and the digests of the privacy rules under which it was trained or last checked."""
    return [(path, rules) for path, rules in session.execute(select(VersionRow.path, VersionRow.metrics["rules"]))]


def count_rejected(session: Session, scope: str) -> int:
    """Return how many of a scope's newest judged versions were rejected in a row."""
    verdict = VersionRow.metrics["judged"]["promoted"].as_boolean()
    query = select(verdict).where(VersionRow.scope == scope, verdict.is_not(None))
    verdicts = session.scalars(query.order_by(VersionRow.created_at.desc()))  # the rest of the tables is not read
    return sum(1 for _ in takewhile(operator.not_, verdicts))


def find_in_service(session: Session) -> set[str]:
    """Return the versions that serve any scope."""
    return set(session.scalars(select(ScopeRow.active_version).where(ScopeRow.active_version.is_not(None))))


def record_history_alone(session: Session, scope: str, reason: str) -> None:
    """Let no language model take part in a scope, until a version is made active; "" stands for its owner's choice."""
    scopes.lock_scope(session, scope).history_alone = reason


def record_active(session: Session, scope: str, version: str) -> None:
    """Let a version serve a scope from its next prediction on, and retire the one before."""
    scope_row = scopes.lock_scope(session, scope)
    scope_row.history_alone = None
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


def record_taken_back(session: Session, version: str, reason: str, scope: str | None = None) -> bool:
    """Let what a version replaced serve again, in a scope or wherever it serves; return whether it served there.

    Then the reason is noted, too.
    """
    row, found = find_version(session, version), ScopeRow
    serves = select(found.name).where(found.active_version == version, found.history_alone.is_(None))
    names = [name for name in session.scalars(serves.order_by(found.name)) if scope in (None, name)]
    for name in names:
        before = name_replaced(row, (name, row.scope))
        record_active(session, name, BUILTIN if before == HISTORY else before)
        if before == HISTORY:
            record_history_alone(session, name, reason)
    if names:
        row.state, row.metrics = "rejected", row.metrics | {"taken_back": reason}
    return bool(names)


def delete_versions(session: Session, names: Sequence[str]) -> None:
    """Delete versions; the built-in one serves where one of them did, or would after a rollback."""
    session.execute(
        update(ScopeRow).where(ScopeRow.active_version.in_(names)).values(active_version=None, history_alone=None)
    )
    session.execute(delete(VersionRow).where(VersionRow.id.in_(names)))
    for row in find_versions(session):
        replaces = row.metrics.get("replaces", {})
        if any(version in names for version in replaces.values()):
            left = {scope: BUILTIN if version in names else version for scope, version in replaces.items()}
            row.metrics = row.metrics | {"replaces": left}
