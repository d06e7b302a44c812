"""Rules for window and page titles: drop them, or keep a digest that is equal for equal titles."""

import base64
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from db.intake.events import IMPORT
from memo.core.errors import MemoError
from memo.core.events import Action, Event, Operation
from memo.core.files import open_private
from memo.privacy.normalize import CACHE_SIZE, app_names, to_host

KEY_BYTES = 32
DIGEST_BYTES = 10
TITLED = frozenset({Operation.WINDOW_FOCUS, Operation.WEB_VISIT})
# Browsers whose private windows have the same title, class and name as others (seen with Chromium under X11).
CHROMIUM = frozenset({"brave", "chrome", "chromium", "opera", "vivaldi"})
INBOX = "inbox"
GIVEN = frozenset({INBOX, IMPORT})  # sources whose lines a person wrote or chose; their titles are kept


def drop_chromium_title(event: Event) -> Event | None:
    """Reduce a Chromium window that a source observed to its app."""
    if event.operation is not Operation.WINDOW_FOCUS or event.source in GIVEN:
        return event
    return event if CHROMIUM.isdisjoint(app_names(event.app)) else drop_title(event)


def drop_title(event: Event) -> Event | None:
    """Reduce a window to its app and a visit to its site; return None if that is unknown."""
    if event.operation not in TITLED:
        return event
    known = event.app if event.operation is Operation.WINDOW_FOCUS else to_host(event.target)
    return _with(event, known, "") if known else None


def make_title_hasher(key_file: Path) -> Callable[[Event], Event]:
    """Return the rule that replaces titles by digests under a key in one file; without it no title can be guessed."""
    key = _read_key(key_file)
    digest = lru_cache(CACHE_SIZE)(lambda title: _digest(title, key))

    def hash_titles(event: Event) -> Event:
        if event.operation not in TITLED:
            return event
        target = digest(event.target) if event.operation is Operation.WINDOW_FOCUS else event.target
        return _with(event, target, digest(event.detail))

    return hash_titles


def _digest(title: str, key: bytes) -> str:
    """Return a digest that ignores the title's tab and unread counts."""
    page = Action(Operation.WINDOW_FOCUS, title).identity.target
    digest = hashlib.blake2b(page.encode(), key=key, digest_size=DIGEST_BYTES).digest()
    return "#" + base64.b32encode(digest).decode().lower() if page else ""


def _with(event: Event, target: str, detail: str) -> Event:
    return event if (event.target, event.detail) == (target, detail) else replace(event, target=target, detail=detail)


def _read_key(file: Path) -> bytes:
    """Return the key in a file, created atomically if absent, even if another process creates it meanwhile."""
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
            f"{file} cannot be read or created ({error.strerror}), so nothing is recorded; repair or remove it."
        ) from error
    if len(key) != KEY_BYTES:
        raise MemoError(
            f"{file} is not a key of {KEY_BYTES} bytes, so nothing is recorded; remove it to have a new one made."
        )
    return key
