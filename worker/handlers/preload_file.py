"""The handler that reads a document before it is opened."""

import os
from typing import Any

from memo.desktop.machine import be_idle
from memo.protocols import Action, Candidate, Cost, DispatchContext, Handler, Home, Operation, Settings
from worker.effects.page_cache import opened, warm
from worker.effects.read_limits import MEGABYTE, Limits
from worker.effects.seen_before import SeenBefore
from worker.handlers.preload_app import GRACE_S, MS_PER_MB

USUAL = Cost(MS_PER_MB, MEGABYTE)


class PreloadFileHandler(Handler):
    """Reads a file that was opened here before into memory; folders reached through a link are left alone."""

    name = "preload_file"
    routed_by = ("upcoming.file_access",)

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings, self._seen = settings, SeenBefore(settings, home)
        self.limit_s = settings.preload.seconds + GRACE_S

    def accepts(self, action: Action) -> bool:
        """Return whether the action is the access to a file whose whole path is known."""
        return action.operation is Operation.FILE_ACCESS and bool(_path(action))

    def cost(self, candidate: Candidate, context: DispatchContext) -> Cost:
        """Return the cost of a usual file: no file is looked at before it is certain that it may be read."""
        return USUAL

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Read what is not cached and return the result. Raises NotSeenBefore for a file that was never opened here.

        A hit saves the time of reading, for whoever opens the file need not wait for it.
        """
        if not self._size(candidate.action, context.scope):
            return {"stopped": "no file that may be read"}
        be_idle()
        limits = Limits(self._settings.preload, context.until)
        most = limits.bytes(self._settings.preload.file_mb)
        done = warm({_path(candidate.action): ()}, most, limits.objection)
        return done.as_result | {"gain_s": done.reading_ms / 1e3 if done.read_bytes else 0.0}

    def _size(self, action: Action, scope: str) -> int:
        """Return the bytes of a file that may be read, else 0. Raises NotSeenBefore, before anything is opened."""
        path = _path(action)
        if not path:
            return 0
        self._seen.check(action, scope)
        with opened(path) as file:
            size = os.fstat(file).st_size if file is not None else 0
        return size if size <= self._settings.preload.file_mb * MEGABYTE else 0


def _path(action: Action) -> str:
    """Return the path of a file; empty if it is incomplete or its folder is reached through a link."""
    name, folder = action.target, action.place
    if "\0" in name + folder or name in ("", ".", "..") or "/" in name or not os.path.isabs(folder):
        return ""
    try:
        is_real = os.path.realpath(folder) == os.path.normpath(folder) == folder.rstrip("/")
    except (OSError, ValueError):  # too long, or not a possible name
        return ""
    return os.path.join(folder, name) if is_real else ""
