"""Changed files: which of them a person changed, and when that is known."""

import re

from memo.core.bounded import BoundedDict

SETTLED_S = 1.0
"""By then a file that was only on its way to another name has got it, or is gone."""
MINUTE_S = 60.0

_FOLDERS = re.compile(
    r"\..*|bower_components|build|CMakeFiles|CVS|_darcs|dist|htmlcov|node_modules|obj|out|__pycache__|RCS|SCCS"
    r"|site-packages|target|venv|.*\.egg-info",
    re.S,
)
"""Hidden, of version control, or filled by builds and package managers."""
_FILES = re.compile(
    r"\..*|.*(~|\.(tmp|temp|sw[a-z]|kate-swp|bak|orig|part|partial|crdownload|download|lock|pid|pyc|pyo|o|a|so|class|log)"
    r"|-(journal|wal|shm))|#.*#|~\$.*|4913",
    re.I | re.S,
)
"""Hidden and temporary files, swap files and back-ups of editors, unfinished downloads, what compilers make, logs.
Vim tries out a folder with a file called 4913."""


def ignored(relative: str) -> bool:
    """Whether a path, below a folder that is watched, is one that programs change by themselves."""
    *folders, name = relative.split("/")
    return bool(_FILES.fullmatch(name)) or any(map(_FOLDERS.fullmatch, folders))


class Debouncer:
    """Changes below one folder; all times are seconds on one clock.

    A file is told once it has settled, and not again before it was left alone for a minute: saved every few seconds it
    is one that is being worked on. More than `most` files in a minute are a program's work: none of them is told.
    """

    def __init__(self, most: int) -> None:
        self.dropped = 0
        """Debouncer that were too many."""
        self._most = most
        self._waiting: dict[str, float] = {}
        self._last: BoundedDict[str, float] = BoundedDict(most + 1)

    def put(self, path: str, at: float) -> None:
        """A file was written, or came."""
        self._forget(at)
        known = path in self._last
        self._last[path] = at
        if not known:
            self._waiting[path] = at

    def drop(self, path: str) -> None:
        """A file is gone, or has another name now."""
        self._last.pop(path, None)
        self._waiting.pop(path, None)

    @property
    def due(self) -> float | None:
        """When the next one has settled."""
        return next(iter(self._waiting.values())) + SETTLED_S if self._waiting else None

    def settled(self, now: float) -> list[tuple[str, float]]:
        """The files that a person has changed, and when, each once."""
        self._forget(now)
        found = [(path, at) for path, at in self._waiting.items() if at + SETTLED_S <= now]
        for path, _ in found:
            del self._waiting[path]
        if self.noisy:
            self.dropped += len(found)
            return []
        return found

    @property
    def noisy(self) -> bool:
        """Whether a program is at work."""
        return len(self._last) > self._most

    def _forget(self, now: float) -> None:
        while self._last and self._last[oldest := next(iter(self._last))] <= now - MINUTE_S:
            del self._last[oldest]
