"""The handler that writes a line to the log."""

from typing import Any

from memo.core.logs import get_logger
from memo.core.predictions import action_as_dict
from memo.protocols import Candidate, DispatchContext, Handler, Home, Settings

log = get_logger(__name__)


class LogHandler(Handler):
    """Logs the candidate."""

    name = "log"
    quick = True

    def __init__(self, settings: Settings, home: Home) -> None:
        """Take what every handler is given."""

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Log the candidate."""
        log.info(
            "predicted",
            prediction=context.prediction_id,
            probability=candidate.probability,
            **action_as_dict(candidate.action),
        )
        return {}
