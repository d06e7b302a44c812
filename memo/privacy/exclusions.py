"""What the settings exclude: events that are never stored, and actions that are no longer predicted."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from memo.core.events import Action, Event, Operation
from memo.core.settings import PrivacySettings
from memo.privacy import exclude
from memo.privacy.exclude import Matcher
from memo.privacy.normalize import CACHE_SIZE

BUILTIN = Path(__file__).with_name("builtin.toml")
NO_TIME = datetime.min.replace(tzinfo=UTC)


def make_exclusions(settings: PrivacySettings) -> dict[str, Sequence[Matcher]]:
    """Return what is excluded, by the name of the setting, in the order in which it is looked for."""
    site_matchers = [exclude.match_sites(settings.sites), exclude.match_site_windows(settings.sites)]
    excluded: dict[str, Sequence[Matcher]] = {
        "apps": [exclude.match_apps(settings.apps)] if settings.apps else [],
        "sites": site_matchers if settings.sites else [],
        "folders": [exclude.match_folders(settings.folders)] if settings.folders else [],
        "titles": [exclude.match_titles(settings.titles)] if settings.titles else [],
        "builtin": _read_matchers(BUILTIN) if settings.builtin else [],
    }
    return {name: matchers for name, matchers in excluded.items() if matchers}


def make_action_matcher(settings: PrivacySettings) -> Callable[[Action], bool]:
    """Return a function that says whether an action is excluded; events of it may have been stored before it was."""
    is_event_excluded = make_event_matcher(settings)

    @lru_cache(CACHE_SIZE)
    def is_excluded(action: Action) -> bool:
        place = "detail" if action.operation is Operation.FILE_ACCESS else "app"
        return is_event_excluded(Event(NO_TIME, action.operation, action.target, **{place: action.place}))

    return is_excluded


def make_event_matcher(settings: PrivacySettings) -> Callable[[Event], bool]:
    """Return a function that says whether an event is excluded; it may have been stored before it was."""
    matchers = [matches for excluded in make_exclusions(settings).values() for matches in excluded]
    return lambda event: any(matches(event) for matches in matchers)


def _read_matchers(file: Path) -> list[Matcher]:
    tables: Mapping[str, Mapping[str, list[str]]] = tomllib.loads(file.read_text(encoding="utf-8"))
    makers = {
        "apps": exclude.match_apps,
        "sites": exclude.match_sites,
        "folders": exclude.match_folders,
        "titles": exclude.match_builtin_titles,
    }
    return [make([entry for table in tables.values() for entry in table.get(key, [])]) for key, make in makers.items()]
