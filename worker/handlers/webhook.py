"""The handler that sends a candidate, signed, to a web address; off until the owner has named the address."""

import hashlib
import hmac
import time
from collections.abc import Sequence
from typing import Any

from memo.protocols import Action, Candidate, DispatchContext, Handler, Home, MemoError, Settings
from worker.handlers.payload import payload

CONNECT_S = 2.0  # longest wait for a connection
ANSWER_S = 4.0  # longest wait for an answer
PAUSES_S = (0.5, 2.0, 0.0)  # pause after each failed attempt; a Retry-After header is ignored
BUSY = frozenset({429, 500, 502, 503, 504})  # statuses that are retried


class NotSent(MemoError):
    """The server did not accept the candidate."""


class WebhookHandler(Handler):
    """Posts JSON to `[webhook] url`. It follows no redirect, and reads only the status of an answer."""

    name = "webhook"
    limit_s = 30.0

    def __init__(
        self, settings: Settings, home: Home, answer_s: float = ANSWER_S, pauses_s: Sequence[float] = PAUSES_S
    ) -> None:
        self._webhook, self._language = settings.webhook, settings.language
        self._answer_s, self._pauses_s = answer_s, pauses_s

    def accepts(self, action: Action) -> bool:
        """Return whether an address is named in the settings."""
        return bool(self._webhook.url)

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Send the candidate. Raises NotSent if no attempt succeeded."""
        body, stamp = payload(candidate, context, self._language), str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "memo",
            "Memo-Timestamp": stamp,
            "Memo-Signature": f"sha256={signature(self._webhook.secret.get_secret_value(), stamp, body)}",
        }
        status = self._post(body, headers)
        if not 200 <= status < 300:
            raise _refused(status)
        return {"status": status}

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        """Return the status of the first answer that is not to be retried."""
        import urllib3  # slow to import, and needed only if there is an address

        timeout = urllib3.Timeout(connect=CONNECT_S, read=self._answer_s)
        with urllib3.PoolManager(headers=headers, retries=False, timeout=timeout) as pool:
            for pause_s in self._pauses_s:
                try:
                    answer = pool.request("POST", self._webhook.url, body=body, redirect=False, preload_content=False)
                except urllib3.exceptions.HTTPError as error:
                    failed = NotSent(f"the server can't be reached ({type(error).__name__}); see [webhook] url")
                else:
                    answer.close()
                    if answer.status not in BUSY:
                        return answer.status
                    failed = _refused(answer.status)
                time.sleep(pause_s)
        raise failed


def signature(secret: str, stamp: str, body: bytes) -> str:
    """Return the HMAC-SHA256, in hexadecimal, over the time stamp, a dot and the body."""
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


def _refused(status: int) -> NotSent:
    return NotSent(f"the server answers with status {status}; see [webhook] url")
