"""What an ActivityWatch server tells by REST: its buckets, and their events page by page."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import ProxyHandler, build_opener

from memo.core.errors import MemoError

READ = ("currentwindow", "web.tab.current", "afkstatus")
"""Types of buckets that hold what a person does."""
PAGE = 5_000
"""Events of one answer; the server takes its time for more."""
WAIT_S = 30.0


def fault(url: str) -> str:
    """What is wrong with the address in the settings, and how to write one; empty where nothing is."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return ""
    except ValueError:
        pass
    return (
        "No ActivityWatch server is named; set sources.activitywatch_url in memo.toml, such as http://127.0.0.1:5600."
    )


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stream of events of one type, from one machine."""

    id: str
    type: str
    host: str


class Server:
    """A server by its address. Raises MemoError where it does not answer as ActivityWatch does."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._open = build_opener(ProxyHandler({})).open  # what is done here is told to no proxy

    def buckets(self) -> list[Bucket]:
        """Those whose events are read."""
        return buckets_of(self._get("buckets/"))

    def count(self, bucket: Bucket) -> int:
        """How many events a bucket has."""
        return int(self._get(f"buckets/{quote(bucket.id, safe='')}/events/count"))

    def events(self, bucket: Bucket, since: datetime | None = None) -> Iterator[Any]:
        """A bucket's events, newest first; the one that goes on at `since` begins there."""
        asked: dict[str, object] = {"limit": PAGE} | ({"start": since.isoformat()} if since else {})
        known = set[int]()
        while page := self._get(f"buckets/{quote(bucket.id, safe='')}/events", **asked):
            new = [one for one in page if one["id"] not in known]
            yield from new
            if len(page) < PAGE or not new:
                return
            known = {one["id"] for one in page}
            asked["end"] = page[-1]["timestamp"]  # whose event comes again

    def _get(self, path: str, **parameters: object) -> Any:
        asked = f"{self._url}/api/0/{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        try:
            with self._open(asked, timeout=WAIT_S) as answer:
                return json.load(answer)
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            reason = getattr(error, "reason", None) or error
            raise MemoError(
                f"The ActivityWatch server at {self._url} does not answer ({reason}); start it, or correct its address."
            ) from error


def buckets_of(given: Any) -> list[Bucket]:
    """The buckets that are read, of a server's or an export's table of them."""
    return [
        Bucket(str(name), one["type"], str(one.get("hostname", "")))
        for name, one in (given.items() if isinstance(given, dict) else ())
        if isinstance(one, dict) and one.get("type") in READ
    ]
