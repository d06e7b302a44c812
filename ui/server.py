"""The server of the page: on a random port of the loopback interface, until nobody uses it any more."""

import socket
import time
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from memo.core.paths import Home
from ui.access import owns_peer
from ui.app import make_app
from ui.link import announce_port

IDLE_S = 600.0  # without a request and without an open stream
SHUTDOWN_S = 1  # for requests that are being answered


class Activity:
    """Count what an application is doing, so that an idle server can end."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._clock = app, clock
        self._open, self._last = 0, clock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or stream."""
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._last = self._clock()

    @property
    def is_idle(self) -> bool:
        """Whether nothing was asked for a long time."""
        return not self._open and self._clock() - self._last > IDLE_S


class IdleServer(uvicorn.Server):
    """A server that ends when its application is idle."""

    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        options = {"log_config": None, "access_log": False, "server_header": False, "ws": "none", "lifespan": "off"}
        super().__init__(uvicorn.Config(activity, timeout_graceful_shutdown=SHUTDOWN_S, **options))  # type: ignore[arg-type]

    async def on_tick(self, counter: int) -> bool:
        """Return whether to end; called ten times a second."""
        return await super().on_tick(counter) or self._activity.is_idle


def serve(home: Home) -> None:
    """Serve the page of a home. Raises MemoError if another process does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = IdleServer(Activity(make_app(home, port, owns_peer)))
        with announce_port(home, port):
            server.run([listener])
