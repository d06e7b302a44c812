"""Whether work goes on: predictions that do not come, sources that see nothing, backups that could not be made."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.intake import cursors, scopes
from db.models import ScopeRow
from db.prediction import versions
from db.prediction.predictions import find_unpredicted
from db.upkeep.backups import FAILED
from db.upkeep.jobs import BACKUP, find_last_result
from memo.core.paths import Home
from memo.core.settings import FOCUS_SOURCES, Settings
from memo.desktop import sockets
from memo.stack import running
from memo.store.damage import find_marked

USED = timedelta(days=7)  # a source that saw something so lately is expected to go on
WAITS = timedelta(minutes=1)  # from an event to its prediction; it takes less than a second where all is well


def find_problems(session: Session, settings: Settings | None, home: Home, is_running: bool) -> list[str]:
    """Return a sentence for each thing that is wrong; versions are looked at only if `settings` are given."""
    unusable = find_unusable_versions(session, settings, home) if settings else []
    delays = _find_delays(session, home) if is_running else []
    return [*_find_damage(session, home), *unusable, *_find_drift(session), *delays]


def find_unusable_versions(session: Session, settings: Settings, home: Home) -> list[str]:
    """Return a sentence for each active version that can't serve."""
    names = scopes.find_scope_names(session)
    found = [versions.find_usable(session, home, settings.model.base, name, settings.scope).problem for name in names]
    return list(dict.fromkeys(filter(None, found)))


def _find_drift(session: Session) -> list[str]:
    """Return a sentence for each scope in which history answers alone as predictions had become worse."""
    rows = session.scalars(select(ScopeRow).where(ScopeRow.history_alone != ""))
    return [
        f"In {row.name} the language model is off: {row.history_alone}. A better version turns it on again."
        for row in rows
    ]


def _find_damage(session: Session, home: Home) -> list[str]:
    """Return that the store is damaged, or that the last backup could not be made for another reason."""
    result = find_last_result(session, BACKUP)
    if damage := find_marked(home):
        return [damage]
    return [f"The last daily job {result}; the next one tries again."] if result.startswith(FAILED) else []


def find_source_problems(session: Session | None, home: Home) -> list[str]:
    """Return a sentence for each source that fails or says what it can't see, and for a desktop that none sees now.

    A source that has nothing to tell is no problem: only a person knows whether there was something.
    """
    sources = running.sources(home)
    failing = [
        f"The source {name} fails ({one['says']}); it is started again and again. If that lasts, see "
        f"{home.logs / 'collector.log'}."
        for name, one in sources.items()
        if one["state"] == "failed"
    ]
    impaired = [f"The source {name}: {one['says']}" for name, one in sources.items() if _is_impaired(one)]
    unseen = {
        name: sources[name]["says"] for name in FOCUS_SOURCES if name in sources and sources[name]["state"] == "missing"
    }
    is_seen = any(name in sources and name not in unseen for name in FOCUS_SOURCES)
    lost = _find_lost(session, unseen) if session is not None and not is_seen else []
    return [*failing, *impaired, *lost]


def _is_impaired(source: dict[str, Any]) -> bool:
    return source["state"] == "watching" and bool(source["says"])


def _find_lost(session: Session, unseen: dict[str, str]) -> list[str]:
    """Return what the source lacks that saw the windows last, if that was lately and a desktop runs now."""
    moved = {name: at for name in unseen if (at := cursors.find_last_move(session, name))}
    last = max(moved, key=lambda name: moved[name], default=None)
    if last is None or moved[last] < datetime.now(UTC) - USED or not sockets.has_desktop():
        return []
    when = f"{moved[last].astimezone():%Y-%m-%d %H:%M}"
    return [
        f"No window has been seen since {when}, when the source {last} saw the last one: {unseen[last]} "
        "Run `memo down` and `memo up` in your desktop session."
    ]


def _find_delays(session: Session, home: Home) -> list[str]:
    """Return a sentence for each scope whose newest event has waited for its prediction for long."""
    latest = datetime.now(UTC) - WAITS
    return [
        f"The newest event of {event.scope}, stored at {event.stored_at.astimezone():%Y-%m-%d %H:%M}, has no "
        f"prediction yet. If that lasts, see {home.logs / 'worker.log'}, then run `memo down` and `memo up`."
        for event in find_unpredicted(session)
        if event.stored_at < latest
    ]
