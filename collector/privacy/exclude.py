"""What is kept out whole: tests of an event by its app, site, folder or title."""

import os
import posixpath
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from collector.privacy.normalize import CACHED, and_above, app, app_names, fold, host, hosts, local, path, pieces, plain
from memo.core.events import Event, Operation

Test = Callable[[Event], bool]
"""Whether an event is one that is kept out."""

PROGRAMS = frozenset({Operation.PROCESS_START, Operation.PROCESS_END, Operation.APP_USAGE})
"""Operations whose target is an app."""
COUNTRY = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})
"""What may stand between a site's own name and its country."""
PATIENCE_S = 0.1
"""A pattern that searches a title longer than this has found something: better too little is kept than too much."""


def apps(named: Sequence[str]) -> Test:
    """All that is done in these apps: their windows, visits, files, starts, ends and usage."""
    excluded = frozenset(map(app, named))

    def test(event: Event) -> bool:
        return any(not excluded.isdisjoint(app_names(name)) for name in _apps_of(event) if name)

    return test


def _apps_of(event: Event) -> tuple[str, ...]:
    """All names that an event gives an app."""
    named = event.target if event.operation in PROGRAMS else ""
    if event.operation is Operation.WINDOW_FOCUS and not event.app:
        named = "".join(pieces(event.target)[-1:])
    return event.app, named, event.executable


def sites(named: Sequence[str]) -> Test:
    """Visits of these sites and of those below them, and texts in which one of them is written out."""
    excluded = frozenset(map(host, named))

    @lru_cache(CACHED)
    def shows(text: str) -> bool:
        return any(name in excluded for found in hosts(text) for name in and_above(found))

    def test(event: Event) -> bool:
        visited = host(event.target) if event.operation is Operation.WEB_VISIT else ""
        return any(name in excluded for name in and_above(visited)) or shows(event.target) or shows(event.detail)

    return test


def windows_of_sites(named: Sequence[str]) -> Test:
    """Windows whose title names one of these sites without its ending: 'Reddit - Mozilla Firefox'."""
    names = frozenset(name for site in named if (name := _own_name(host(site))))

    def test(event: Event) -> bool:
        if not names or event.operation is not Operation.WINDOW_FOCUS:
            return False
        title = pieces(event.target)
        page = title[:-1] or title  # the last is the app's name, and Google makes a browser
        return any(not names.isdisjoint(re.findall(r"[\w-]+", piece)) for piece in page)

    return test


def _own_name(site: str) -> str:
    """What a site is called in titles: bbc of bbc.co.uk; nothing for a site below another, as mail.example.com."""
    labels = site.removeprefix("www.").split(".")
    whole = len(labels) == 2 or len(labels) == 3 and labels[1] in COUNTRY
    return labels[0] if whole and len(labels[0]) > 2 else ""


def folders(named: Sequence[str]) -> Test:
    """Files in these folders and below, programs in them, and texts in which the path of one is written out."""
    given = {spelled for folder in named for spelled in _spelled(folder)}
    below = tuple(folder.rstrip("/") + "/" for folder in given)
    home = path("~") + "/"
    written = given | {"~/" + folder.removeprefix(home) for folder in given if folder.startswith(home)}
    pattern = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(written)))})(?![\w-])")
    names = {posixpath.basename(folder) for folder in given} - {""}

    @lru_cache(CACHED)
    def inside(name: str) -> bool:
        return any((spelled + "/").startswith(below) for spelled in _spelled(name))

    @lru_cache(CACHED)
    def shows(text: str) -> bool:
        return bool(pattern.search(fold(text).replace("\\", "/")))

    def test(event: Event) -> bool:
        if event.operation is Operation.FILE_ACCESS and inside(os.path.join(event.detail, event.target)):
            return True
        if event.operation is Operation.WINDOW_FOCUS and not names.isdisjoint(pieces(event.target)):
            return True
        return inside(event.executable) or shows(event.target) or shows(event.detail)

    return test


def _spelled(name: str) -> set[str]:
    """A path as it is written and, where it is a whole one, as it is without links."""
    whole = local(name)
    return {path(name), path(os.path.realpath(whole))} if os.path.isabs(whole) else {path(name)}


def titles(named: Sequence[str]) -> Test:
    """Titles of windows and pages, names of sites, files and folders in which one of these patterns is found."""
    import regex  # only where there is a pattern; unlike `re` it can be given a time

    patterns = [regex.compile(pattern, regex.IGNORECASE) for pattern in named]

    @lru_cache(CACHED)
    def found_in(text: str) -> bool:
        try:
            return any(pattern.search(form, timeout=PATIENCE_S) for pattern in patterns for form in {text, plain(text)})
        except TimeoutError:
            return True

    return lambda event: found_in(event.target) or found_in(event.detail)


def known_titles(named: Sequence[str]) -> Test:
    """The same with patterns of our own: in lower case, and done in one pass."""
    words = [one.removeprefix(r"\b") for one in named if one.startswith(r"\b")]  # looked for where a word begins only
    others = [one for one in named if not one.startswith(r"\b")]
    pattern = re.compile("|".join([rf"\b(?:{'|'.join(words)})", *others]))

    @lru_cache(CACHED)
    def found_in(text: str) -> bool:
        return bool(pattern.search(fold(text)))

    return lambda event: found_in(event.target) or found_in(event.detail)
