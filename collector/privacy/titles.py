"""How much of a title is kept: nothing, or a digest under which the same title is known again."""

import base64
import hashlib
import os
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from collector.privacy.normalize import CACHED, app_names, host
from db.intake.events import IMPORT
from memo.core.errors import MemoError
from memo.core.events import Action, Event, Operation
from memo.core.files import open_private

KEY_BYTES = 32
DIGEST_BYTES = 10
TITLED = frozenset({Operation.WINDOW_FOCUS, Operation.WEB_VISIT})
CHROMIUM = frozenset({"brave", "chrome", "chromium", "opera", "vivaldi"})
"""Browsers whose private windows have the same title, class and name as the others (seen with Chromium under X11)."""
INBOX = "inbox"
GIVEN = frozenset({INBOX, IMPORT})
"""What a person gives as lines is taken at its word."""


def chromium_windows(event: Event) -> Event | None:
    """A window of such a browser by its app alone, where a source has seen it."""
    if event.operation is not Operation.WINDOW_FOCUS or event.source in GIVEN:
        return event
    return event if CHROMIUM.isdisjoint(app_names(event.app)) else untitled(event)


def untitled(event: Event) -> Event | None:
    """A window by its app, a visit by its site; None where that is not known."""
    if event.operation not in TITLED:
        return event
    known = event.app if event.operation is Operation.WINDOW_FOCUS else host(event.target)
    return _with(event, known, "") if known else None


class Hashed:
    """Titles as digests by a key that stands in one file; without it nobody can say which title was meant."""

    def __init__(self, key_file: Path) -> None:
        self._digest = lru_cache(CACHED)(_Digest(_key(key_file)))

    def __call__(self, event: Event) -> Event:
        """The event with its titles as digests."""
        if event.operation not in TITLED:
            return event
        target = self._digest(event.target) if event.operation is Operation.WINDOW_FOCUS else event.target
        return _with(event, target, self._digest(event.detail))


class _Digest:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, title: str) -> str:
        """The same for a title with other counts of tabs and unread messages."""
        page = Action(Operation.WINDOW_FOCUS, title).identity.target
        digest = hashlib.blake2b(page.encode(), key=self._key, digest_size=DIGEST_BYTES).digest()
        return "#" + base64.b32encode(digest).decode().lower() if page else ""


def _with(event: Event, target: str, detail: str) -> Event:
    return event if (event.target, event.detail) == (target, detail) else replace(event, target=target, detail=detail)


def _key(file: Path) -> bytes:
    """The key in a file, made at the first time; whole or not at all, whoever else makes it now."""
    fresh = file.with_suffix(f".{os.getpid()}")
    try:
        if not file.exists():
            with open(fresh, "wb", opener=open_private) as out:
                out.write(os.urandom(KEY_BYTES))
            with suppress(FileExistsError):
                os.link(fresh, file)
            fresh.unlink()
        key = file.read_bytes()
    except OSError as error:
        raise MemoError(
            f"{file} can't be used ({error.strerror}), so nothing is recorded; mend or remove it."
        ) from error
    if len(key) != KEY_BYTES:
        raise MemoError(
            f"{file} is no key of {KEY_BYTES} bytes, so nothing is recorded; remove it, and a new one is made."
        )
    return key
