"""Matchers for events that must not be stored: by app, site, folder or title."""

import os
import posixpath
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from memo.core.events import APP_OPERATIONS, FILES, Event, Operation
from memo.privacy.normalize import (
    CACHE_SIZE,
    app_name,
    app_names,
    find_hosts,
    fold,
    normalize_path,
    title_parts,
    to_host,
    to_local_path,
    to_plain,
    with_parents,
)

Matcher = Callable[[Event], bool]
"""Returns whether an event is excluded."""

SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})  # labels between a site's name and a country
SEARCH_TIMEOUT_S = 0.1  # a title pattern that takes longer counts as matching: the event is dropped, not leaked


def match_apps(names: Sequence[str]) -> Matcher:
    """Match everything done in these apps: windows, visits, files, starts, ends and usage."""
    excluded = frozenset(map(app_name, names))
    return lambda event: any(not excluded.isdisjoint(app_names(name)) for name in _apps_of(event) if name)


def _apps_of(event: Event) -> tuple[str, ...]:
    """Return every name that an event gives an app."""
    name = event.target if event.operation in APP_OPERATIONS else ""
    if event.operation is Operation.WINDOW_FOCUS and not event.app:
        name = "".join(title_parts(event.target)[-1:])
    return event.app, name, event.executable


def match_sites(sites: Sequence[str]) -> Matcher:
    """Match visits of these sites and their subdomains, and texts that contain such a host name."""
    excluded = frozenset(map(to_host, sites))

    def is_excluded(host: str) -> bool:
        return not excluded.isdisjoint(with_parents(host))

    mentioned = _match_texts(lambda text: any(map(is_excluded, find_hosts(text))))
    visited = Operation.WEB_VISIT
    return lambda event: (event.operation is visited and is_excluded(to_host(event.target))) or mentioned(event)


def match_site_windows(sites: Sequence[str]) -> Matcher:
    """Match windows whose title names one of these sites without its ending, as in 'Reddit - Mozilla Firefox'."""
    names = frozenset(name for site in sites if (name := _site_name(to_host(site))))

    def matches(event: Event) -> bool:
        if not names or event.operation is not Operation.WINDOW_FOCUS:
            return False
        parts = title_parts(event.target)
        page = parts[:-1] or parts  # without the app's name: excluding google.com must not match Google Chrome
        return any(not names.isdisjoint(re.findall(r"[\w-]+", part)) for part in page)

    return matches


def _site_name(site: str) -> str:
    """Return what titles call a site, such as bbc for bbc.co.uk; empty for a subdomain such as mail.example.com."""
    labels = site.removeprefix("www.").split(".")
    is_whole_site = len(labels) == 2 or len(labels) == 3 and labels[1] in SECOND_LEVEL
    return labels[0] if is_whole_site and len(labels[0]) > 2 else ""


def match_folders(folders: Sequence[str]) -> Matcher:
    """Match files and programs below these folders, and texts that contain such a path."""
    excluded = {spelling for folder in folders for spelling in _spellings(folder)}
    prefixes = tuple(folder.rstrip("/") + "/" for folder in excluded)
    home = normalize_path("~") + "/"
    written = excluded | {"~/" + folder.removeprefix(home) for folder in excluded if folder.startswith(home)}
    pattern = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(written)))})(?![\w-])")
    names = {posixpath.basename(folder) for folder in excluded} - {""}

    @lru_cache(CACHE_SIZE)
    def is_inside(path: str) -> bool:
        return any((spelling + "/").startswith(prefixes) for spelling in _spellings(path))

    mentioned = _match_texts(lambda text: bool(pattern.search(fold(text).replace("\\", "/"))))

    def matches(event: Event) -> bool:
        if event.operation in FILES and is_inside(os.path.join(event.detail, event.target)):
            return True
        if event.operation is Operation.WINDOW_FOCUS and not names.isdisjoint(title_parts(event.target)):
            return True
        return is_inside(event.executable) or mentioned(event)

    return matches


def _spellings(path: str) -> set[str]:
    """Return a path as written and, if absolute, with symbolic links resolved."""
    local = to_local_path(path)
    written = {normalize_path(path)}
    return written | {normalize_path(os.path.realpath(local))} if os.path.isabs(local) else written


def match_titles(patterns: Sequence[str]) -> Matcher:
    """Match titles of windows and pages, and names of sites, files and folders, that contain one of these patterns."""
    import regex  # slow to import; unlike `re`, its searches take a timeout

    compiled = [regex.compile(pattern, regex.IGNORECASE) for pattern in patterns]

    def contains(text: str) -> bool:
        forms = {text, to_plain(text)}
        try:
            return any(pattern.search(form, timeout=SEARCH_TIMEOUT_S) for pattern in compiled for form in forms)
        except TimeoutError:
            return True

    return _match_texts(contains)


def match_builtin_titles(patterns: Sequence[str]) -> Matcher:
    r"""Match titles by built-in patterns, which are in lower case and never backtrack.

    Patterns that begin with \b share one group, so that they are tried only where a word begins.
    """
    words = [pattern.removeprefix(r"\b") for pattern in patterns if pattern.startswith(r"\b")]
    others = [pattern for pattern in patterns if not pattern.startswith(r"\b")]
    combined = re.compile("|".join([rf"\b(?:{'|'.join(words)})", *others]))
    return _match_texts(lambda text: bool(combined.search(fold(text))))


def _match_texts(contains: Callable[[str], bool]) -> Matcher:
    cached = lru_cache(CACHE_SIZE)(contains)
    return lambda event: cached(event.target) or cached(event.detail)
