"""Ask the worker for a prediction once events are stored; an unreachable broker blocks no source."""

import time
from collections.abc import Callable

from celery import Celery

from memo.core.logs import get_logger
from memo.core.settings import Settings
from memo.stack.task_queue import LOOK, is_redis

TIMEOUT_S = 2.0  # of each wait for the broker
PAUSE_S = 5.0  # without requests after a failure; the scheduler's tick repeats what was not sent

log = get_logger(__name__)


class Announcer:
    """Enqueues `memo.look` within bounded time; an outage is logged once."""

    def __init__(
        self, app: Celery, settings: Settings, timeout_s: float = TIMEOUT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        redis, amqp = ("socket_timeout", "socket_connect_timeout"), ("read_timeout", "write_timeout")
        timeouts = dict.fromkeys(redis if is_redis(app.conf.broker_url) else amqp, timeout_s)
        app.conf.broker_transport_options |= {"max_retries": 1, "interval_start": 0} | timeouts
        app.conf.broker_connection_timeout = timeout_s
        self._app, self._stale_s, self._clock = app, settings.predict.stale_s, clock
        self._retry_at = 0.0  # on the clock; 0 while the broker answers

    def request_prediction(self, scope: str) -> None:
        """Ask for a prediction of what follows a scope's newest event. Called by several threads."""
        if self._clock() < self._retry_at:
            return
        try:
            self._app.send_task(LOOK, (scope,), expires=self._stale_s, retry=False)
        except Exception as error:  # each transport raises its own
            if not self._retry_at:
                log.warning("broker_unreachable", reason=str(error), retry_s=PAUSE_S)
            self._retry_at = self._clock() + PAUSE_S
            self._app.pool.resize(self._app.pool.limit, reset=True)  # fresh connections; a closed pool stays closed
        else:
            self._retry_at = 0.0
