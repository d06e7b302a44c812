"""The list of recently used files that desktops keep, in the XML Bookmark Exchange Language.

Source: Desktop Bookmark Specification of freedesktop.org.
"""

import os
import shlex
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes, urlsplit
from xml.parsers.expat import ExpatError, ParserCreate

_DESKTOP = "http://www.freedesktop.org/standards/desktop-bookmarks"
_MEDIA = "http://www.freedesktop.org/standards/shared-mime-info"
_STAMPS = ("added", "modified", "visited")
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A listed file: its path, when and by which app and program it was last used, and its media type."""

    path: str
    at: datetime
    app: str = field(default="", compare=False)
    program: str = field(default="", compare=False)
    media_type: str = field(default="", compare=False)


class _Handlers:
    """Handles the list's elements as they are parsed, so that no tree is built."""

    def __init__(self) -> None:
        self.bookmarks: list[Bookmark] = []
        self._begin({})

    def _begin(self, attributes: dict[str, str]) -> None:
        self._path, self._at, self._private = _path(attributes.get("href", "")), _newest(attributes, _STAMPS), False
        self._app, self._program, self._app_at = "", "", NEVER
        self._media_type = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "bookmark":
            self._begin(attributes)
        elif name == f"{_MEDIA} mime-type":
            self._media_type = attributes.get("type", "")
        elif name == f"{_DESKTOP} private":
            self._private = True
        elif name == f"{_DESKTOP} application" and (at := _newest(attributes, _STAMPS)) >= self._app_at:
            self._app, self._app_at = attributes.get("name", ""), at
            self._program = _program(attributes.get("exec", ""))

    def end(self, name: str) -> None:
        if name == "bookmark" and self._path and self._at > NEVER and not self._private:
            self.bookmarks.append(Bookmark(self._path, self._at, self._app, self._program, self._media_type))

    def entity(self, *_: object) -> None:
        raise ValueError("it declares entities, which no desktop does")


def parse(text: bytes) -> list[Bookmark]:
    """Return the local files of a list, without those private to one app. Raises ValueError if it can't be parsed.

    Any program may write the list, so declarations of entities are rejected: a few lines of them could expand to
    gigabytes. Expat itself reads no external entities.
    """
    handlers, parser = _Handlers(), ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = handlers.start, handlers.end
    parser.EntityDeclHandler = handlers.entity
    try:
        parser.Parse(text, True)
    except ExpatError as error:
        raise ValueError(f"it is not well-formed XML: {error}") from error
    return handlers.bookmarks


def _path(href: str) -> str:
    """Return the path of a local file; empty for any other address."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return ""
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return ""
    path = os.fsdecode(unquote_to_bytes(parts.path))
    return os.path.normpath(path) if path.startswith("/") and not path.endswith("/") and "\0" not in path else ""


def _newest(attributes: dict[str, str], names: tuple[str, ...]) -> datetime:
    return max((_time(attributes[name]) for name in names if name in attributes), default=NEVER)


def _time(stamp: str) -> datetime:
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return NEVER
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _program(command: str) -> str:
    """Return the first word of a command, which may be quoted as a whole."""
    try:
        words = shlex.split(command)
        return shlex.split(words[0])[0] if len(words) == 1 else words[0]
    except (ValueError, IndexError):
        return ""
