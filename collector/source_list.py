"""All sources with what each one does or needs, for `memo sources` and the page."""

from contextlib import suppress
from typing import Any

from collector import plugins
from db.intake import redactions
from db.store_access import read_session
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running


def list_sources(home: Home, settings: Settings) -> list[dict[str, Any]]:
    """Return each source's name, state, report, failures and count of events per privacy rule, as JSON."""
    live, private = running.sources(home), _private(home, settings)
    return [
        {
            "name": name,
            "failures": 0,
            "private": private.get(name, {}),
            **(live.get(name) or _idle(name, settings, home)),
        }
        for name in sorted(plugins.installed_names() | set(settings.sources.on))
    ]


def _idle(name: str, settings: Settings, home: Home) -> dict[str, str]:
    """Return state and report of a source that is not running."""
    if name not in settings.sources.on:
        return {"state": "off", "says": "choose it by `memo setup`, or add it to sources.on in memo.toml"}
    try:
        lacks = plugins.make_source(name, settings, home).missing()
    except Exception as error:  # a plug-in may raise anything
        return {"state": "failed", "says": f"{type(error).__name__}: {error}"}
    return {"state": "missing" if lacks else "on", "says": lacks}


def _private(home: Home, settings: Settings) -> dict[str, dict[str, int]]:
    with suppress(MemoError), read_session(settings, home) as session:  # `memo status` reports a store that fails
        return redactions.count_by_source(session) if session else {}
    return {}
