"""The handler that starts a predicted app; off until the owner has named the app."""

from typing import Any

from memo.protocols import Action, Candidate, DispatchContext, Handler, Home, NothingToDo, Operation, Settings
from worker.effects.launcher import Launcher


class LaunchAppHandler(Handler):
    """Starts apps named in `[launch] apps`, unless they already run."""

    name = "launch_app"
    routed_by = ("upcoming.process_start",)
    noticed = True

    def __init__(self, settings: Settings, home: Home) -> None:
        self._allowed = frozenset(settings.launch.apps)
        self._launcher = Launcher(settings, home)

    def accepts(self, action: Action) -> bool:
        """Return whether the action is the start of an app named in the settings."""
        return action.operation is Operation.PROCESS_START and action.target in self._allowed

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Start the app. Raises NothingToDo if it runs, NotStarted if it may not be started."""
        if not self.accepts(candidate.action):
            raise NothingToDo("the settings do not name the app")
        command = self._launcher.command(candidate, context.scope)
        self._launcher.check_absent(candidate.action, command)
        return {"pid": self._launcher.start(command)}
