"""Retire versions that were trained on what the privacy rules exclude by now; the events themselves stay stored."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from db.engine import Store
from db.intake import events
from db.models import VersionRow
from db.prediction import versions
from db.store_access import read_session, writable_store
from forget import erase_rows
from memo.core.paths import Home
from memo.core.settings import PrivacySettings, Settings
from memo.privacy.exclusions import digest_rules, leave_out_rules, make_event_matcher


def is_due(session: Session, home: Home, privacy: PrivacySettings) -> bool:
    """Return whether a version whose files are here was trained, and last checked, under other rules."""
    now = digest_rules(privacy)
    return any(rules != now and home.version(path).is_dir() for path, rules in versions.find_rules(session))


def retire_where_due(settings: Settings, home: Home) -> list[str]:
    """Retire versions after a change of the rules, if there is a store; return their names."""
    with read_session(settings, home) as session:
        if session is None or not is_due(session, home, settings.privacy):
            return []
    with writable_store(settings, home) as store:
        return retire_excluded(store, home, settings.privacy)


def retire_excluded(store: Store, home: Home, privacy: PrivacySettings) -> list[str]:
    """Delete the versions whose events a newer rule excludes, as `forget` would; return their names.

    The others are marked as checked.
    """
    now = digest_rules(privacy)
    with store.read() as session:
        rows = [row for row in versions.find_versions(session) if home.version(row.path).is_dir()]
        unchecked = [row for row in rows if row.metrics.get("rules") != now]
        retired = {row.id for row in unchecked if _has_excluded(session, row, privacy)}
    checked = {row.id for row in unchecked}
    with store.write() as session:
        rows = [row for row in versions.find_versions(session) if row.id in checked]
        for row in rows:
            row.metrics = row.metrics | {"rules": now}
        erase_rows.retire_versions(session, home, [row for row in rows if row.id in retired])
    if retired:
        erase_rows.remove_versions(store, home)
    return sorted(retired)


def describe(retired: Sequence[str]) -> str:
    """Return in a sentence which versions were retired, and what serves now."""
    was = "was" if len(retired) == 1 else "were"
    return (
        f"{', '.join(retired)} {was} trained on what is excluded now, and {was} deleted; the built-in version serves "
        "instead, and a training on the rest is due."
    )


def _has_excluded(session: Session, version: VersionRow, privacy: PrivacySettings) -> bool:
    """Return whether a rule that a version does not know excludes a stored event of its span."""
    newer = leave_out_rules(privacy, version.metrics.get("rules", ()))
    if not digest_rules(newer):
        return False
    is_excluded, (first, last) = make_event_matcher(newer), _span(version)
    _, rows = events.find_between(session, version.scope, first, last)
    return any(is_excluded(events.as_event(row)) for row in rows)


def _span(version: VersionRow) -> Sequence[datetime | None]:
    """Return the time of the first event of a version, and one just after the last; None if they are not known."""
    if "span" not in version.metrics:
        return None, None
    first, last = map(datetime.fromisoformat, version.metrics["span"])
    return first, last + timedelta(microseconds=1)
