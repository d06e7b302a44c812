"""Launch sets: the files that an app reads when it starts, one JSON file for each app under MEMO_HOME."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from memo.core.files import open_private
from memo.core.paths import Home

UNIT = 64 * 1024
"""Bytes; a span counts in these. So much is mapped at a fault, as far as it is in memory."""
MOST_SETS, MOST_FILES, MOST_BYTES = 200, 4_000, 4_000_000
"""Apps that are kept, files of one of them, and bytes of what is kept of it."""
DAY = timedelta(days=1)

Span = tuple[int, int]
"""First unit, and how many."""
Version = tuple[int, int, int]
"""Inode, time of change in ns, and size of an executable."""


@dataclass(frozen=True, slots=True)
class LaunchSet:
    """What one version of an app reads, what matters most first. A file without spans is read whole."""

    app: str
    executable: str
    version: Version
    at: datetime
    """Of the launch that was looked at last."""
    days: tuple[str, ...] = ()
    """On which launches were looked at."""
    files: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    bytes: int = 0

    def spans(self, zone: tzinfo) -> list[tuple[datetime, datetime]]:
        """When the launches were that it is made of: the last one, and the others as far as the days tell."""
        days = [datetime.fromisoformat(day).replace(tzinfo=zone) for day in self.days]
        return [(self.at, self.at), *((day, day + DAY) for day in days)]


def version_of(executable: str) -> Version | None:
    """None where the file is gone."""
    with suppress(OSError, ValueError):
        found = os.stat(executable)
        return found.st_ino, found.st_mtime_ns, found.st_size
    return None


def read(home: Home, app: str) -> LaunchSet | None:
    """What is known of an app; None for nothing, or nothing that can be read."""
    return _read(_path(home, app))


def write(home: Home, known: LaunchSet) -> None:
    """Keep it, in place of what was known of the app; of too many apps, the one that was looked at longest ago goes."""
    home.apps.mkdir(mode=0o700, exist_ok=True)
    path = _path(home, known.app)
    fresh = path.with_suffix(".new")
    with open(fresh, "w", encoding="ascii", opener=open_private) as file:
        json.dump(as_dict(known), file)
    fresh.replace(path)
    for old in sorted(_paths(home), key=_changed, reverse=True)[MOST_SETS:]:
        old.unlink(missing_ok=True)


def as_dict(known: LaunchSet) -> dict[str, Any]:
    """As JSON."""
    return asdict(known) | {"at": known.at.isoformat()}


def every(home: Home) -> Iterator[LaunchSet]:
    """All that are known."""
    return (known for path in sorted(_paths(home)) if (known := _read(path)))


def remove(home: Home, app: str) -> None:
    """Keep nothing of an app."""
    _path(home, app).unlink(missing_ok=True)


def meant(home: Home, is_meant: Callable[[LaunchSet], bool]) -> list[Path]:
    """The files of the apps that are meant, and those that can't be read."""
    return [path for path in _paths(home) if (known := _read(path)) is None or is_meant(known)]


def _path(home: Home, app: str) -> Path:
    """An app's name may hold anything."""
    return home.apps / f"{hashlib.sha256(app.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"


def _paths(home: Home) -> Iterator[Path]:
    return home.apps.glob("*.*")


def _changed(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _read(path: Path) -> LaunchSet | None:
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        if path.stat().st_size <= MOST_BYTES:
            return _parsed(json.loads(path.read_text(encoding="ascii")))
    return None


def _parsed(given: dict[str, Any]) -> LaunchSet:
    inode, changed, size = map(int, given["version"])
    return LaunchSet(
        str(given["app"]),
        str(given["executable"]),
        (inode, changed, size),
        datetime.fromisoformat(given["at"]),
        tuple(date.fromisoformat(day).isoformat() for day in given["days"]),
        {name: tuple((int(a), int(b)) for a, b in spans) for name, spans in list(given["files"].items())[:MOST_FILES]},
        int(given["bytes"]),
    )
