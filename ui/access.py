"""Who may use the page: programs of this user, with the cookie that the link of `memo ui` gave them."""

import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.sentences import translate

ENTER = "/enter"  # the only path without the cookie: it takes the token
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # without any, a browser would send no origin with a form
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
OwnsPeer = Callable[[Request, int], bool]


class Access:
    """Answer requests that may be answered, and refuse all others with one sentence."""

    def __init__(self, app: ASGIApp, port: int, owns_peer: OwnsPeer) -> None:
        self._app, self._port, self._owns_peer = app, port, owns_peer
        self.cookie = f"memo_ui_{port}"  # cookies are shared between the ports of a host
        self.secret = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(Request(scope))
        app = refuse(refusal) if refusal else self._app
        scope["secret_cookie"] = self.cookie, self.secret
        await app(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> str:
        """Return the sentence by which a request is refused, or nothing."""
        host = request.headers.get("host", "")
        if not self._owns_peer(request, self._port):
            return "This page belongs to another user of this machine."
        if host not in (f"127.0.0.1:{self._port}", f"localhost:{self._port}"):
            return "This page answers only at the address that `memo ui` shows."
        if request.method not in ("GET", "HEAD") and request.headers.get("origin") != f"http://{host}":
            return "This form was sent by another site, so nothing was done."
        given = request.cookies.get(self.cookie, "").encode()
        if request.url.path != ENTER and not hmac.compare_digest(given, self.secret.encode()):
            return "Open this page with the link that `memo ui` shows; each link works once."
        return ""


def refuse(sentence: str) -> PlainTextResponse:
    """Refuse a request in both languages: nobody knows yet which one is read."""
    return PlainTextResponse(f"{sentence}\n{translate(sentence)}\n", 403)


def owns_peer(request: Request, port: int) -> bool:
    """Return whether the connection's other end belongs to this user, by the kernel's table of connections.

    The columns of the table are in proc(5): addresses are hexadecimal, and the eighth column is the user.
    """
    peer = request.client.port if request.client else 0
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, remote, _, _, _, _, user, *_ = line.split()
        if _port(local) == peer and _port(remote) == port:
            return int(user) == os.getuid()
    return False


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
