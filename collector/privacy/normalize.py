"""One spelling for what can be written in many ways, texts, sites, apps and paths, so that like meets like."""

import os
import posixpath
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from urllib.parse import unquote

from memo.core.events import Event

_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""What Unicode calls ignorable: it is there and not seen."""
_HOST = re.compile(r"(?<![\w-])[\w-]++(?:[.。][\w-]++)++")
"""What may be a site's name in a text; read in one pass."""
_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)*//")
_ENDING = re.compile(r"\.(?:desktop|exe|app|appimage|bin)$")
_BETWEEN = re.compile(r"[-_ ]+")
LONGEST_SITE = 253
WORDS = 12
"""No name of an app has more."""
CACHED = 4_096
"""Texts whose spelling is remembered: few titles, sites and apps make most of a day."""


def plain(text: str) -> str:
    """The text as it looks: nothing unseen in it, and wide or styled letters as ordinary ones."""
    return text if text.isascii() else unicodedata.normalize("NFKC", _UNSEEN.sub("", text))


@lru_cache(CACHED)
def fold(text: str) -> str:
    """The text as it looks, in any case."""
    return plain(text).casefold()


@lru_cache(CACHED)
def host(target: str) -> str:
    """A site's name as browsers ask for it, of a name or an address: without port, path, user and last dot."""
    text = re.split(r"[/?#\\]", _SCHEME.sub("", plain(target).lower().strip()), maxsplit=1)[0].rpartition("@")[2]
    name = text[: text.find("]") + 1] if text.startswith("[") else text.partition(":")[0]
    return _ascii(name).strip(".")[-LONGEST_SITE:]


def _ascii(name: str) -> str:
    if name.isascii():
        return name
    import idna  # 3 MB that few need

    try:
        return idna.encode(name[-LONGEST_SITE:], uts46=True).decode()
    except idna.IDNAError:
        return name


def hosts(text: str) -> Iterator[str]:
    """All that may be a site's name in a text."""
    if "." in text or not text.isascii():
        yield from (host(found[0]) for found in _HOST.finditer(plain(text)))


def and_above(name: str) -> Iterator[str]:
    """A site's name, and those of the sites above it: a.b.c, b.c, c."""
    while name:
        yield name
        name = name.partition(".")[2]


def app(name: str) -> str:
    """An app's name, without folder and ending, its words joined by dashes."""
    return _BETWEEN.sub("-", _ENDING.sub("", fold(name).strip().replace("\\", "/").rpartition("/")[2]))


@lru_cache(CACHED)
def app_names(name: str) -> frozenset[str]:
    """What an app may be called: its whole name, and each run of words in it or in a part between dots."""
    whole = app(name)
    found = {whole}
    for part in {whole, *whole.split(".")}:
        words = part.split("-")[:WORDS]
        found |= {"-".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
    return frozenset(found - {""})


def pieces(title: str) -> list[str]:
    """The parts of a window's title, which mostly ends in the app's name."""
    return [piece for part in re.split(r"\s[-–—|·:]\s", fold(title)) if (piece := part.strip())]


def local(text: str) -> str:
    """A path as the system takes it: no address of a file, no `~`."""
    return os.path.expanduser(unquote(text.removeprefix("file://")) if text.startswith("file://") else text)


def path(text: str) -> str:
    """A path without `~`, `..`, doubled or Windows' slashes, and in any case."""
    found = fold(posixpath.normpath(local(text).replace("\\", "/")))
    return "/" + found.lstrip("/") if found.startswith("/") else found


def respell(event: Event, spell: Callable[[str], str]) -> Event:
    """The event with its texts spelled anew; the same object where that changes none."""
    old = (event.target, event.app, event.detail, event.executable)
    target, app, detail, executable = new = tuple(map(spell, old))
    return event if new == old else replace(event, target=target, app=app, detail=detail, executable=executable)
