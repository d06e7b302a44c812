"""The handler that writes a line to the log."""

from typing import Any

from memo.logs import get
from memo.paths import Home
from memo.predictions import Candidate, action_as_dict
from memo.protocols import DispatchContext

log = get(__name__)


class LogHandler:
    """Logs the candidate."""

    name = "log"

    def __init__(self, home: Home) -> None:
        """`home` is given to every handler."""

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Log it."""
        log.info(
            "predicted",
            prediction=context.prediction_id,
            probability=candidate.probability,
            **action_as_dict(candidate.action),
        )
        return {}
