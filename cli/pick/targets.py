"""Where a choice leads: to an open window, else to a start of its app, a site or a file."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session

from cli.pick.open_windows import OpenWindow, find_open_windows
from memo.core.events import Action, Operation
from memo.core.paths import Home
from memo.core.predictions import wanted
from memo.core.settings import Settings
from worker.effects.launcher import Launcher, NotStarted


@dataclass(frozen=True, slots=True)
class Target:
    """Something to go to: `go` does `action`."""

    action: Action
    go: Callable[[], None]
    is_open: bool = False
    icon: str = ""  # name or path; empty if its app has none, or it is no app


class Targets:
    """Finds targets on this desktop, as it is when this object is made."""

    def __init__(self, settings: Settings, home: Home, session: Session) -> None:
        self._launcher = Launcher(settings, home, session)
        self._windows = find_open_windows(self._launcher.apps)

    def find(self, action: Action) -> Target | None:
        """Return where an action leads, an open window before a start of its app; None if it can't be done now."""
        if window := self._find_window(action):
            is_same = window.action.identity == action.identity
            return Target(action if is_same else thing_of(action), window.focus, True, self._icon(action))
        try:
            command = self._launcher.find_command(action)
        except NotStarted:
            return None
        start = partial(self._launcher.start_as_asked, command)
        return Target(thing_of(action), start, icon=self._icon(action))

    def count_windows(self) -> int | None:
        """Return the number of open windows; None where this desktop lists none."""
        return len(self._windows) or None

    def _find_window(self, action: Action) -> OpenWindow | None:
        """Return the window itself if it is open, else the first one of its app."""
        thing = thing_of(action)
        of_app = [window for window in self._windows if thing_of(window.action) == thing]
        same = (window for window in of_app if window.action.identity == action.identity)
        return next(same, next(iter(of_app), None))

    def _icon(self, action: Action) -> str:
        entry = self._launcher.apps.entry(thing_of(action).place)
        return entry.icon if entry else ""


def thing_of(action: Action) -> Action:
    """Return what is wanted by an action; an app is one thing, whether a window of it is focused or it is started."""
    is_start = action.operation is Operation.PROCESS_START
    return Action(Operation.WINDOW_FOCUS, "", action.target) if is_start else wanted(action)
