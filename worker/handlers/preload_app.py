"""The handler that reads an app's files before it starts, so that it starts as if it had just run."""

from contextlib import closing
from typing import Any

from db.engine import open_store
from db.intake.launch_sets import find_launch_set
from memo.core.grammar import clean
from memo.desktop.launch_sets import LaunchSet, version_of
from memo.desktop.machine import be_idle
from memo.protocols import Action, Candidate, Cost, DispatchContext, Handler, Home, NothingToDo, Operation, Settings
from worker.effects.page_cache import warm
from worker.effects.read_limits import MEGABYTE, Limits

MS_PER_MB = 0.5  # processor time of reading, about; waiting for the disk costs nothing
GRACE_S = 5.0  # a single read may take this long if the disk is asleep


class PreloadAppHandler(Handler):
    """Reads the launch set of an app that was started here before; no path that it reads comes from a prediction."""

    name = "preload_app"
    routed_by = ("upcoming.process_start",)

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings, self._home = settings, home
        self.limit_s = settings.preload.seconds + GRACE_S

    def accepts(self, action: Action) -> bool:
        """Return whether the action is the start of an app."""
        return action.operation is Operation.PROCESS_START and bool(action.target)

    def cost(self, candidate: Candidate, context: DispatchContext) -> Cost:
        """Return the cost of reading the app's launch set, up to `preload.app_mb`.

        Raises NothingToDo if the app has no valid launch set, or the scope is not that of the settings.
        """
        read = min(self._known(candidate, context).bytes, self._settings.preload.app_mb * MEGABYTE)
        return Cost(read / MEGABYTE * MS_PER_MB, read)

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Read what is not cached and return the result. Raises NothingToDo."""
        known = self._known(candidate, context)
        be_idle()
        limits = Limits(self._settings.preload, context.until)
        return warm(known.files, limits.bytes(self._settings.preload.app_mb), limits.objection).as_result

    def _known(self, candidate: Candidate, context: DispatchContext) -> LaunchSet:
        if context.scope != self._settings.scope:
            raise NothingToDo("the prediction is about another person or machine")
        app, known = candidate.action.target, None
        if clean(app) == app:  # else no app of that name is stored
            with closing(open_store(self._settings, self._home)) as store, store.read() as session:
                known = find_launch_set(session, context.scope, app)
        if not known or not known.files:
            raise NothingToDo("none of its launches was observed yet")
        if version_of(known.executable) != known.version:
            raise NothingToDo("it is another version now, none of whose launches was observed yet")
        return known
