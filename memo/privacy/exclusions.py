"""What the settings exclude: events that are never stored, and actions that are no longer predicted."""

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path

from memo.core.events import Action, Event, Operation
from memo.core.settings import PrivacySettings
from memo.privacy import exclude
from memo.privacy.exclude import Matcher
from memo.privacy.normalize import CACHE_SIZE

BUILTIN = Path(__file__).with_name("builtin.toml")
LISTS = ("apps", "sites", "folders", "titles")  # settings that list rules
NO_TIME = datetime.min.replace(tzinfo=UTC)


def make_exclusions(settings: PrivacySettings) -> dict[str, Sequence[Matcher]]:
    """Return what is excluded, by the name of the setting, in the order in which it is looked for."""
    site_matchers = [exclude.match_sites(settings.sites), exclude.match_site_windows(settings.sites)]
    excluded: dict[str, Sequence[Matcher]] = {
        "apps": [exclude.match_apps(settings.apps)] if settings.apps else [],
        "sites": site_matchers if settings.sites else [],
        "folders": [exclude.match_folders(settings.folders)] if settings.folders else [],
        "titles": [exclude.match_titles(settings.titles)] if settings.titles else [],
        "builtin": _make_builtin_matchers() if settings.builtin else [],
    }
    return {name: matchers for name, matchers in excluded.items() if matchers}


def make_event_matcher(settings: PrivacySettings) -> Matcher:
    """Return a function that says whether an event is excluded; it may have been stored before it was."""
    matchers = [matches for excluded in make_exclusions(settings).values() for matches in excluded]
    return lambda event: any(matches(event) for matches in matchers)


def make_action_matcher(settings: PrivacySettings) -> Callable[[Action], bool]:
    """Return a function that says whether an action is excluded; events of it may have been stored before it was."""
    is_excluded = make_event_matcher(settings)
    return lru_cache(CACHE_SIZE)(lambda action: is_excluded(as_bare_event(action)))


def as_bare_event(action: Action) -> Event:
    """Return an event of an action, without a time and without what an action does not hold."""
    place = "detail" if action.operation is Operation.FILE_ACCESS else "app"
    return Event(NO_TIME, action.operation, action.target, **{place: action.place})


def digest_rules(settings: PrivacySettings) -> list[str]:
    """Return a digest of each rule that excludes something, in one order."""
    return sorted(map(_digest, _list_rules(settings)))


def leave_out_rules(settings: PrivacySettings, digests: Collection[str]) -> PrivacySettings:
    """Return the settings without the rules that have these digests."""
    left = [(name, entry) for name, entry in _list_rules(settings) if _digest((name, entry)) not in digests]
    changed = {name: [entry for of, entry in left if of == name] for name in LISTS}
    return settings.model_copy(update=changed | {"builtin": any(name == "builtin" for name, _ in left)})


def _list_rules(settings: PrivacySettings) -> list[tuple[str, str]]:
    """Return each rule, with the name of its setting."""
    builtin = [("builtin", _read_builtin())] if settings.builtin else []
    return [(name, entry) for name in LISTS for entry in getattr(settings, name)] + builtin


@cache
def _read_builtin() -> str:
    return BUILTIN.read_text(encoding="utf-8")


def _digest(rule: tuple[str, str]) -> str:
    return blake2b("\x1f".join(rule).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _make_builtin_matchers() -> list[Matcher]:
    tables: Mapping[str, Mapping[str, list[str]]] = tomllib.loads(_read_builtin())
    makers = {
        "apps": exclude.match_apps,
        "sites": exclude.match_sites,
        "folders": exclude.match_folders,
        "titles": exclude.match_builtin_titles,
    }
    return [make([entry for table in tables.values() for entry in table.get(key, [])]) for key, make in makers.items()]
