"""Decide which changed files a person changed, and when that is certain."""

import re

from memo.core.bounded import BoundedDict

SETTLED_S = 1.0  # by then a temporary file has got its final name or is gone
MINUTE_S = 60.0

_FOLDERS = re.compile(  # hidden, of version control, or filled by build tools and package managers
    r"\..*|bower_components|build|CMakeFiles|CVS|_darcs|dist|htmlcov|node_modules|obj|out|__pycache__|RCS|SCCS"
    r"|site-packages|target|venv|.*\.egg-info",
    re.S,
)
# Hidden and temporary files, editors' swap files and backups, partial downloads, compilers' outputs, logs; vim tests
# whether a folder is writable with a file named 4913.
_FILES = re.compile(
    r"\..*|.*(~|\.(tmp|temp|sw[a-z]|kate-swp|bak|orig|part|partial|crdownload|download|lock|pid|pyc|pyo|o|a|so|class|log)"
    r"|-(journal|wal|shm))|#.*#|~\$.*|4913",
    re.I | re.S,
)


def is_ignored(relative: str) -> bool:
    """Return whether programs change this path by themselves; it is relative to a watched folder."""
    *folders, name = relative.split("/")
    return bool(_FILES.fullmatch(name)) or any(map(_FOLDERS.fullmatch, folders))


class Debouncer:
    """Debounces changes below one folder; all times are seconds on one clock.

    A file is reported once it has settled, and again only after a minute without changes. More than `limit` files
    within a minute are a program's work: none of them is reported.
    """

    def __init__(self, limit: int) -> None:
        self.dropped = 0  # changes dropped as a program's work
        self._limit = limit
        self._waiting: dict[str, float] = {}
        self._last: BoundedDict[str, float] = BoundedDict(limit + 1)

    def add(self, path: str, at: float) -> None:
        """Record that a file was written or appeared."""
        self._evict(at)
        is_known = path in self._last
        self._last[path] = at
        if not is_known:
            self._waiting[path] = at

    def drop(self, path: str) -> None:
        """Forget a file that was deleted or renamed."""
        self._last.pop(path, None)
        self._waiting.pop(path, None)

    @property
    def due(self) -> float | None:
        """When the next file will have settled, or None."""
        return next(iter(self._waiting.values())) + SETTLED_S if self._waiting else None

    def pop_settled(self, now: float) -> list[tuple[str, float]]:
        """Return the files that a person has changed, with the times of the changes, each once."""
        self._evict(now)
        settled = [(path, at) for path, at in self._waiting.items() if at + SETTLED_S <= now]
        for path, _ in settled:
            del self._waiting[path]
        if len(self._last) > self._limit:  # a program is changing them
            self.dropped += len(settled)
            return []
        return settled

    def _evict(self, now: float) -> None:
        while self._last and self._last[oldest := next(iter(self._last))] <= now - MINUTE_S:
            del self._last[oldest]
