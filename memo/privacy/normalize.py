"""Normal forms of texts, sites, apps and paths, so that different spellings of one thing compare equal."""

import os
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from urllib.parse import unquote

from memo.core.events import Event
from memo.core.sites import MAX_HOST

_INVISIBLE = re.compile(  # Unicode's Default_Ignorable_Code_Point
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_HOST = re.compile(r"(?<![\w-])[\w-]++(?:[.。][\w-]++)++")  # a possible host name; never backtracks
_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)*//")
_APP_SUFFIX = re.compile(r"\.(?:desktop|exe|app|appimage|bin)$")
_SEPARATORS = re.compile(r"[-_ ]+")
MAX_WORDS = 12  # words of an app's name
CACHE_SIZE = 4_096  # texts per cache: few titles, sites and apps make up most of a day


def to_plain(text: str) -> str:
    """Return the text as it looks: without invisible characters, and with styled letters as ordinary ones."""
    return text if text.isascii() else unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))


@lru_cache(CACHE_SIZE)
def fold(text: str) -> str:
    """Return the plain text with its case folded."""
    return to_plain(text).casefold()


@lru_cache(CACHE_SIZE)
def to_host(target: str) -> str:
    """Return the host of a name or URL as browsers look it up: no port, path, user or trailing dot."""
    text = re.split(r"[/?#\\]", _SCHEME.sub("", to_plain(target).lower().strip()), maxsplit=1)[0].rpartition("@")[2]
    name = text[: text.find("]") + 1] if text.startswith("[") else text.partition(":")[0]
    return _to_ascii(name).strip(".")[-MAX_HOST:]


def _to_ascii(name: str) -> str:
    if name.isascii():
        return name
    import idna  # takes 3 MB that most people never need

    try:
        return idna.encode(name[-MAX_HOST:], uts46=True).decode()
    except idna.IDNAError:
        return name


def find_hosts(text: str) -> Iterator[str]:
    """Yield everything in a text that may be a host name."""
    if "." in text or not text.isascii():
        yield from (to_host(found[0]) for found in _HOST.finditer(to_plain(text)))


def with_parents(host: str) -> Iterator[str]:
    """Yield a host name and its parent domains: a.b.c, b.c, c."""
    while host:
        yield host
        host = host.partition(".")[2]


def app_name(name: str) -> str:
    """Return an app's name without folder and suffix, its words joined by dashes."""
    return _SEPARATORS.sub("-", _APP_SUFFIX.sub("", fold(name).strip().replace("\\", "/").rpartition("/")[2]))


@lru_cache(CACHE_SIZE)
def app_names(name: str) -> frozenset[str]:
    """Return the names that an app may go by: the whole name, and each run of words in it or between its dots."""
    whole = app_name(name)
    found = {whole}
    for part in {whole, *whole.split(".")}:
        words = part.split("-")[:MAX_WORDS]
        found |= {"-".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    return frozenset(found - {""})


def title_parts(title: str) -> list[str]:
    """Return the parts of a window's title; the last one is usually the app's name."""
    return [stripped for part in re.split(r"\s[-–—|·:]\s", fold(title)) if (stripped := part.strip())]


def to_local_path(text: str) -> str:
    """Return the path that a file URL or a path with `~` stands for."""
    return os.path.expanduser(unquote(text.removeprefix("file://")) if text.startswith("file://") else text)


def normalize_path(text: str) -> str:
    """Return a path with case folded and `~`, `..`, repeated slashes and backslashes resolved."""
    path = fold(posixpath.normpath(to_local_path(text).replace("\\", "/")))
    return "/" + path.lstrip("/") if path.startswith("/") else path


def map_texts(event: Event, change: Callable[[str], str]) -> Event:
    """Return the event with each text changed; the same object if no text changes."""
    old = (event.target, event.app, event.detail, event.executable)
    target, app, detail, executable = new = tuple(map(change, old))
    return event if new == old else replace(event, target=target, app=app, detail=detail, executable=executable)
