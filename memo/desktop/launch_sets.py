"""Launch sets: the files that an app reads when it starts. The store keeps one for each app and scope."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

UNIT = 64 * 1024  # bytes; spans count in these, as a page fault maps up to so much of a file that is in memory
MAX_FILES = 4_000  # files of one launch set

Span = tuple[int, int]
"""First unit and number of units."""
Version = tuple[int, int, int]
"""Inode, modification time in ns, and size in bytes of an executable."""


@dataclass(frozen=True, slots=True)
class LaunchSet:
    """The files that one version of an app reads, most important first. A file without spans is read whole."""

    app: str
    executable: str
    version: Version
    at: datetime
    """Time of the launch that was inspected last."""
    days: tuple[str, ...] = ()
    """Local dates on which launches were inspected."""
    files: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    bytes: int = 0

    def spans(self, zone: tzinfo) -> list[tuple[datetime, datetime]]:
        """Return the times between which each inspected launch was: exact for the last one, a day for the others."""
        days = [datetime.fromisoformat(day).replace(tzinfo=zone) for day in self.days]
        return [(self.at, self.at), *((day, day + timedelta(days=1)) for day in days)]


def version_of(executable: str) -> Version | None:
    """Return the version of an executable, or None if the file is gone."""
    with suppress(OSError, ValueError):
        found = os.stat(executable)
        return found.st_ino, found.st_mtime_ns, found.st_size
    return None


def as_dict(launch_set: LaunchSet) -> dict[str, Any]:
    """Return a launch set as JSON."""
    return asdict(launch_set) | {"at": launch_set.at.isoformat()}


def from_dict(given: Mapping[str, Any]) -> LaunchSet:
    """Return the launch set of a JSON object. Raises AttributeError, KeyError, TypeError or ValueError for another."""
    inode, changed, size = map(int, given["version"])
    return LaunchSet(
        str(given["app"]),
        str(given["executable"]),
        (inode, changed, size),
        datetime.fromisoformat(given["at"]),
        tuple(date.fromisoformat(day).isoformat() for day in given["days"]),
        {name: tuple((int(a), int(b)) for a, b in spans) for name, spans in list(given["files"].items())[:MAX_FILES]},
        int(given["bytes"]),
    )
