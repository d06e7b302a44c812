"""The handler that asks whether to open what probably comes next, and opens it after a yes."""

from typing import Any

from memo.core.events import Action, Operation
from memo.core.paths import Home
from memo.core.predictions import UPCOMING_OPERATIONS, Answer, Candidate
from memo.core.settings import Settings
from memo.protocols import DispatchContext, Handler
from worker.effects.launcher import Launcher
from worker.effects.notifications import plain, show

WAIT_S = 40.0
"""An answer later than that is none."""
SUMMARY = {"en": "MEMO: open it now?", "zh": "MEMO：现在打开吗？"}
ANSWERS = {
    "en": {Answer.YES.value: "Yes", Answer.NO.value: "Not now", Answer.NEVER.value: "Never"},
    "zh": {Answer.YES.value: "是", Answer.NO.value: "现在不", Answer.NEVER.value: "永不"},
}


class AskHandler(Handler):
    """Asks with three buttons: yes opens it, not now lowers its rank, never means never again."""

    name = "ask"
    noticed = True
    limit_s = 60.0
    per_hour = 1

    def __init__(self, settings: Settings, home: Home) -> None:
        self._language, self._launcher = settings.language, Launcher(settings, home)

    def accepts(self, action: Action) -> bool:
        """What can be opened: an app, a site, a file."""
        return action.operation in UPCOMING_OPERATIONS

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Ask, and do it. Raises MemoError where it can't be opened, or not be asked; {} where an app runs already."""
        command, action = self._launcher.command(candidate, context.scope), candidate.action
        if action.operation is Operation.PROCESS_START and self._launcher.runs(action.target, command):
            return {}
        given = show(SUMMARY[self._language], plain(action.target), ANSWERS[self._language], WAIT_S)
        if given not in ANSWERS[self._language]:
            return {"shown": True}
        if given == Answer.YES.value:
            self._launcher.start_as_asked(command)
        return {"shown": True, "answer": given}
