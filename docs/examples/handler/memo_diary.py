"""A handler of somebody else's: it notes which sites are expected, and strikes out those that did not come."""

import json
from collections.abc import Mapping
from typing import Any

from memo.core.events import Action, Operation
from memo.core.paths import Home
from memo.core.predictions import Candidate
from memo.core.settings import Settings
from memo.protocols import Cost, DispatchContext, Handler


class DiaryHandler(Handler):
    """Runs in a process of its own, so it may take its time (here 5 s) and may fail."""

    name = "diary"
    limit_s = 5.0

    def __init__(self, settings: Settings, home: Home) -> None:
        self._diary = home.root / "diary.jsonl"

    def accepts(self, action: Action) -> bool:
        """Visits alone."""
        return action.operation is Operation.WEB_VISIT

    def cost(self, candidate: Candidate, context: DispatchContext) -> Cost:
        """About a millisecond of work."""
        return Cost(ms=1.0)

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Note it; what is returned stands in the store, and `expire` is given it."""
        self._note({"expected": candidate.action.target, "until": context.until.isoformat()})
        return {"site": candidate.action.target}

    def expire(self, result: Mapping[str, Any]) -> None:
        """It did not come in time."""
        self._note({"struck out": result["site"]})

    def _note(self, line: dict[str, str]) -> None:
        with self._diary.open("a", encoding="utf-8") as diary:
            diary.write(json.dumps(line) + "\n")  # a title may hold anything; JSON keeps it on one line
