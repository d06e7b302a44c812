"""The handler that asks whether to open the candidate, and opens it after a yes."""

from typing import Any

from memo.core.predictions import OPENED
from memo.protocols import Action, Answer, Candidate, DispatchContext, Handler, Home, Settings
from worker.effects.launcher import Launcher
from worker.effects.notifications import plain, show

WAIT_S = 40.0  # a later answer does not count
SUMMARY = {"en": "MEMO: open it now?", "zh": "MEMO：现在打开吗？"}
ANSWERS = {
    "en": {Answer.YES.value: "Yes", Answer.NO.value: "Not now", Answer.NEVER.value: "Never"},
    "zh": {Answer.YES.value: "是", Answer.NO.value: "现在不", Answer.NEVER.value: "永不"},
}


class AskHandler(Handler):
    """Asks with three buttons: "yes" opens it, "not now" lowers its rank, "never" means never again."""

    name = "ask"
    routed_by = ("routes.file_access", "routes.web_visit", "upcoming.process_start")
    noticed = True
    limit_s = 60.0
    per_hour = 1
    box_rank = 1

    def __init__(self, settings: Settings, home: Home, wait_s: float = WAIT_S) -> None:
        self._settings, self._launcher, self._wait_s = settings, Launcher(settings, home), wait_s

    def accepts(self, action: Action) -> bool:
        """Return whether the action opens an app, a site or a file, and `launch_app` does not start it unasked."""
        return action.operation in OPENED and not self._settings.launches(action)

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Ask, and open it. Raises NothingToDo if the app runs, MemoError if it can't be opened or shown."""
        command = self._launcher.command(candidate, context.scope)
        self._launcher.check_absent(candidate.action, command)
        answers = ANSWERS[self._settings.language]
        answer = show(SUMMARY[self._settings.language], plain(candidate.action.target), answers, self._wait_s)
        if answer not in answers:
            return {"shown": True}
        if answer == Answer.YES.value:
            self._launcher.start_as_asked(command)
        return {"shown": True, "answer": answer}
