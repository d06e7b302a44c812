"""An example handler: it notes which sites are expected, and strikes out those that were not visited."""

import json
from collections.abc import Mapping
from typing import Any

from memo.protocols import Action, Candidate, Cost, DispatchContext, Handler, Home, Operation, Settings


class DiaryHandler(Handler):
    """Runs in a process of its own, so it may be slow (here up to 5 s) and may fail."""

    name = "diary"
    limit_s = 5.0

    def __init__(self, settings: Settings, home: Home) -> None:
        self._diary = home.root / "diary.jsonl"

    def accepts(self, action: Action) -> bool:
        """Return whether the action is a visit to a site."""
        return action.operation is Operation.WEB_VISIT

    def cost(self, candidate: Candidate, context: DispatchContext) -> Cost:
        """Return the cost of an attempt: about a millisecond of work."""
        return Cost(ms=1.0)

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Note the site; the store keeps the result, and `expire` receives it."""
        self._note({"expected": candidate.action.target, "until": context.until.isoformat()})
        return {"site": candidate.action.target}

    def expire(self, result: Mapping[str, Any]) -> None:
        """Strike out a site that was not visited in time."""
        self._note({"struck out": result["site"]})

    def _note(self, line: dict[str, str]) -> None:
        with self._diary.open("a", encoding="utf-8") as diary:
            diary.write(json.dumps(line) + "\n")  # a title may hold anything; JSON keeps it on one line
