"""The handler that sends a candidate to a web address, signed; off until its owner has named the address."""

import hashlib
import hmac
import time
from typing import Any

from memo.core.errors import MemoError
from memo.core.events import Action
from memo.core.paths import Home
from memo.core.predictions import Candidate
from memo.core.settings import Settings
from memo.protocols import DispatchContext, Handler
from worker.handlers.payload import payload

CONNECT_S, ANSWER_S = 2.0, 4.0
"""Longest waits of one attempt."""
PAUSES_S = (0.5, 2.0, 0.0)
"""After each attempt that the network or a busy or broken server failed; what the server says of it does not count."""
BUSY = frozenset({429, 500, 502, 503, 504})


class NotSent(MemoError):
    """The server did not take it."""


class WebhookHandler(Handler):
    """Posts JSON to `[webhook] url`. Follows no redirect, and reads nothing of an answer but its status."""

    name = "webhook"
    limit_s = 30.0

    def __init__(self, settings: Settings, home: Home) -> None:
        self._to, self._language = settings.webhook, settings.language

    def accepts(self, action: Action) -> bool:
        """Everything, once there is an address."""
        return bool(self._to.url)

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Send it. Raises NotSent where that did not succeed after all attempts."""
        body, stamp = payload(candidate, context, self._language), str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "memo",
            "Memo-Timestamp": stamp,
            "Memo-Signature": f"sha256={signature(self._to.secret.get_secret_value(), stamp, body)}",
        }
        status = _post(self._to.url, body, headers)
        if not 200 <= status < 300:
            raise _refused(status)
        return {"status": status}


def signature(secret: str, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 over the time stamp, a dot and the body, in hexadecimal: who has the secret can check both."""
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    import urllib3  # only where there is an address

    waits = urllib3.Timeout(connect=CONNECT_S, read=ANSWER_S)
    with urllib3.PoolManager(retries=False, timeout=waits) as pool:
        for pause in PAUSES_S:
            try:
                answer = pool.request("POST", url, body=body, headers=headers, redirect=False, preload_content=False)
            except urllib3.exceptions.HTTPError as error:
                failed = NotSent(f"the server can't be reached ({type(error).__name__}); see [webhook] url")
            else:
                answer.close()
                if answer.status not in BUSY:
                    return answer.status
                failed = _refused(answer.status)
            time.sleep(pause)
    raise failed


def _refused(status: int) -> NotSent:
    return NotSent(f"the server answers with status {status}; see [webhook] url")
