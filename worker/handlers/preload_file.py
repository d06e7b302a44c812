"""The handler that reads a document before it is opened."""

import os
from typing import Any

from memo.core.events import Action, Operation
from memo.core.paths import Home
from memo.core.predictions import Candidate
from memo.core.settings import Settings
from memo.protocols import Cost, DispatchContext, Handler
from worker.effects.page_cache import be_idle, opened, warm
from worker.effects.read_limits import Limits
from worker.effects.seen_before import SeenBefore
from worker.handlers.preload_app import GRACE_S, MEGABYTE, MS_PER_MB

USUAL = Cost(MS_PER_MB, MEGABYTE)


class PreloadFileHandler(Handler):
    """Warms a file that was really opened here before. A folder that is reached by a link is left alone."""

    name = "preload_file"

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings, self._seen = settings, SeenBefore(settings, home)
        self.limit_s = settings.preload.seconds + GRACE_S

    def accepts(self, action: Action) -> bool:
        """The access to a file whose whole path is known."""
        return action.operation is Operation.FILE_ACCESS and bool(_path(action))

    def cost(self, candidate: Candidate, context: DispatchContext) -> Cost:
        """That of a usual one: nothing is looked at before it is certain that it may be."""
        return USUAL

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Read what is not in memory; what was done, as JSON. Raises NotSeen for a file that was never opened here.

        A hit saves what reading took: whoever opens the file need not wait for that.
        """
        if not self._size(candidate.action, context.scope):
            return {"stopped": "no file that may be read"}
        be_idle()
        limits = Limits(self._settings.preload, context.until)
        most = limits.bytes(self._settings.preload.file_mb)
        done = warm({_path(candidate.action): ()}, most, limits.objection)
        return done.as_result | {"gain_s": done.reading_ms / 1e3 if done.read_bytes else 0.0}

    def _size(self, action: Action, scope: str) -> int:
        """Bytes of a file that may be read, else 0. Raises NotSeen; nothing is opened before that is certain."""
        path = _path(action)
        if not path:
            return 0
        self._seen.check(action, scope)
        with opened(path) as file:
            size = os.fstat(file).st_size if file is not None else 0
        return size if size <= self._settings.preload.file_mb * MEGABYTE else 0


def _path(action: Action) -> str:
    """The path of a file in a folder that no link leads to, else empty."""
    name, folder = action.target, action.place
    if "\0" in name + folder or name in ("", ".", "..") or "/" in name or not os.path.isabs(folder):
        return ""
    try:
        real = os.path.realpath(folder) == os.path.normpath(folder) == folder.rstrip("/")
    except (OSError, ValueError):  # too long, or no name that a file could have
        return ""
    return os.path.join(folder, name) if real else ""
