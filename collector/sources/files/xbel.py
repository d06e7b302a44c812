"""The list of recently used files that desktops keep, in the XML Bookmark Exchange Language.

Source of its form: Desktop Bookmark Specification of freedesktop.org.
"""

import os
import shlex
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes, urlsplit
from xml.parsers.expat import ExpatError, ParserCreate

_DESKTOP = "http://www.freedesktop.org/standards/desktop-bookmarks"
_STAMPS = ("added", "modified", "visited")
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A file of the list: its path, when it was last used, and the app that last said so, with its program."""

    path: str
    at: datetime
    app: str = field(default="", compare=False)
    program: str = field(default="", compare=False)


class _Handlers:
    """Takes the elements of a list as the parser meets them, so that no tree is built."""

    def __init__(self) -> None:
        self.found: list[Bookmark] = []
        self._begin({})

    def _begin(self, given: dict[str, str]) -> None:
        self._path, self._at, self._private = _path(given.get("href", "")), _newest(given, _STAMPS), False
        self._app, self._program, self._app_at = "", "", _NEVER

    def start(self, name: str, given: dict[str, str]) -> None:
        if name == "bookmark":
            self._begin(given)
        elif name == f"{_DESKTOP} private":
            self._private = True
        elif name == f"{_DESKTOP} application" and (at := _newest(given, _STAMPS)) >= self._app_at:
            self._app, self._program, self._app_at = given.get("name", ""), _program(given.get("exec", "")), at

    def end(self, name: str) -> None:
        if name == "bookmark" and self._path and self._at > _NEVER and not self._private:
            self.found.append(Bookmark(self._path, self._at, self._app, self._program))

    def entity(self, *_: object) -> None:
        raise ValueError("it declares entities, which no desktop does")


def read(text: bytes) -> list[Bookmark]:
    """The local files of a list, but those that only the app which put them there may see. Raises ValueError.

    Any program may write the list, so an entity is refused where it is declared: a few lines of them could stand for
    gigabytes, or for another file. Expat reads no such file by itself.
    """
    handlers, parser = _Handlers(), ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = handlers.start, handlers.end
    parser.EntityDeclHandler = handlers.entity
    try:
        parser.Parse(text, True)
    except ExpatError as error:
        raise ValueError(f"it is not well-formed: {error}") from error
    return handlers.found


def _path(href: str) -> str:
    """The path of a local file; empty for anything else."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return ""
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return ""
    path = os.fsdecode(unquote_to_bytes(parts.path))
    return os.path.normpath(path) if path.startswith("/") and not path.endswith("/") and "\0" not in path else ""


def _newest(given: dict[str, str], names: tuple[str, ...]) -> datetime:
    return max((_time(given[name]) for name in names if name in given), default=_NEVER)


def _time(stamp: str) -> datetime:
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return _NEVER
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _program(command: str) -> str:
    """The first word of a command, which stands in quotes of its own."""
    try:
        inner = shlex.split(command)
        return shlex.split(inner[0])[0] if len(inner) == 1 else inner[0]
    except (ValueError, IndexError):
        return ""
