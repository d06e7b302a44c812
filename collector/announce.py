"""After the rows, the message: ask the worker to look at a scope. A broker that is away holds nobody up."""

import time

from celery import Celery

from memo.core.logs import get_logger
from memo.core.settings import Settings
from memo.stack.task_queue import LOOK, is_redis

TIMEOUT_S = 2
PAUSE_S = 5.0
"""After a failure nobody is told for so long; the tick asks again meanwhile."""

log = get_logger(__name__)


class Announcer:
    """Sends `memo.look`; each wait is bounded, and an outage is logged once."""

    def __init__(self, app: Celery, settings: Settings) -> None:
        bounds = {"max_retries": 1, "interval_start": 0}
        timeouts = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
        amqp = {"read_timeout": TIMEOUT_S, "write_timeout": TIMEOUT_S}
        app.conf.broker_transport_options |= bounds | (timeouts if is_redis(app.conf.broker_url) else amqp)
        app.conf.broker_connection_timeout = TIMEOUT_S
        self._app = app
        self._stale_s = settings.predict.stale_s
        self._away_until: float | None = None

    def look(self, scope: str) -> None:
        """Ask for a prediction of what follows a scope's newest event."""
        if self._away_until is not None and time.monotonic() < self._away_until:
            return
        try:
            self._app.send_task(LOOK, (scope,), expires=self._stale_s, retry=False)
        except Exception as error:  # each transport raises its own
            if self._away_until is None:
                log.warning("the broker is away; the tick asks again", reason=str(error))
            self._away_until = time.monotonic() + PAUSE_S
            self._app.pool.resize(self._app.pool.limit, reset=True)  # fresh connections; a closed pool stays closed
        else:
            self._away_until = None
