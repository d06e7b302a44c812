"""The settings as a running part follows them: memo.toml is looked at wherever they are used, which costs one stat."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from memo.core.paths import Home
from memo.core.settings import PrivacySettings, Settings, tables_at_once

SETTLE_S = 2.0  # an editor may have written only a part of the file: until then the former privacy rules apply, too
TITLES = ("full", "hashed", "none")  # from the weakest rule to the strictest

Made = TypeVar("Made")


class LiveSettings:
    """The settings that a process began with, of which the tables that can change at once follow memo.toml.

    Threads may share it.
    """

    def __init__(self, settings: Settings, home: Home, clock: Callable[[], float] = time.monotonic) -> None:
        self._current, self._privacy = settings, settings.privacy
        self._config, self._clock = home.config, clock
        self._seen: tuple[float, ...] | None = None
        self._settles_at = 0.0
        self._lock = threading.Lock()

    def now(self) -> Settings:
        """Return the settings in force, the same object while nothing changes. Raises UsageError if the file is wrong.

        If there is no file, as while an editor replaces it, the last ones stay in force.
        """
        with self._lock:
            seen = _signature(self._config)
            if seen is not None and seen != self._seen:
                self._take(Settings.load(), age_s=time.time() - seen[-1])
                self._seen = seen
            if self._current.privacy != self._privacy and self._clock() >= self._settles_at:
                self._current = self._current.model_copy(update={"privacy": self._privacy})
            return self._current

    def _take(self, fresh: Settings, age_s: float) -> None:
        self._privacy = fresh.privacy
        self._settles_at = self._clock() + min(max(0.0, SETTLE_S - age_s), SETTLE_S)  # the wall clock may be set
        changed = {name: getattr(fresh, name) for name in tables_at_once()}
        changed["privacy"] = strictest(self._current.privacy, fresh.privacy)
        if any(getattr(self._current, name) != table for name, table in changed.items()):
            self._current = self._current.model_copy(update=changed)


class Derived(Generic[Made]):
    """Something that is made from the settings, and made again when they have changed."""

    def __init__(self, settings: Settings, home: Home, make: Callable[[Settings], Made]) -> None:
        self._live, self._make = LiveSettings(settings, home), make
        self._of, self.latest = settings, make(settings)

    def now(self) -> Made:
        """Return it as of now. Raises UsageError if memo.toml is wrong, and what `make` raises."""
        settings = self._live.now()
        if settings is not self._of:
            self.latest = self._make(settings)  # assigned first: once `_of` is new, another thread returns `latest`
            self._of = settings
        return self.latest


def strictest(one: PrivacySettings, other: PrivacySettings) -> PrivacySettings:
    """Return rules that leave out whatever one of two leaves out."""
    names = ("apps", "sites", "folders", "titles")
    return PrivacySettings(
        **{name: list(dict.fromkeys(getattr(one, name) + getattr(other, name))) for name in names},
        builtin=one.builtin or other.builtin,
        chromium_titles=one.chromium_titles and other.chromium_titles,
        titles_kept=max(one.titles_kept, other.titles_kept, key=TITLES.index),
    )


def _signature(file: Path) -> tuple[float, ...] | None:
    """Return values of a file that differ after each change, the time of the change last; None without a file."""
    with suppress(FileNotFoundError):
        found = os.stat(file)
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime
    return None
