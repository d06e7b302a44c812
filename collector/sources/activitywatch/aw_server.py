"""An ActivityWatch server's REST interface: its buckets, and their events page by page."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import ProxyHandler, build_opener

from memo.core.errors import MemoError

BUCKET_TYPES = ("currentwindow", "web.tab.current", "afkstatus")
PAGE = 5_000  # events per request; the server is slow for more
TIMEOUT_S = 30.0


def check_url(url: str) -> str:
    """Return what is wrong with the server's address, and the remedy; empty if it is valid."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return ""
    if url:
        return (
            f"{url} is not the address of a server; correct sources.activitywatch_url, such as http://127.0.0.1:5600."
        )
    return (
        "No ActivityWatch server is named; set sources.activitywatch_url in memo.toml, such as http://127.0.0.1:5600."
    )


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stream of events of one type from one machine."""

    id: str
    type: str
    host: str


class Server:
    """A server at an address. Its methods raise MemoError if it can't be reached or does not answer with JSON."""

    def __init__(self, url: str, page: int = PAGE, timeout_s: float = TIMEOUT_S) -> None:
        self._url, self._page, self._timeout_s = url.rstrip("/"), page, timeout_s
        self._open = build_opener(ProxyHandler({})).open  # no proxy may see a person's activity

    def buckets(self) -> list[Bucket]:
        """Return the buckets of the types that are read."""
        return select_buckets(self._get("buckets/"))

    def count(self, bucket: Bucket) -> int:
        """Return the number of a bucket's events."""
        return int(self._get(f"buckets/{quote(bucket.id, safe='')}/events/count"))

    def events(self, bucket: Bucket, since: datetime | None = None) -> Iterator[Any]:
        """Yield a bucket's events, newest first; an event still going on at `since` is cut to begin there."""
        query: dict[str, object] = {"limit": self._page} | ({"start": since.isoformat()} if since else {})
        known = set[int]()
        while page := self._get(f"buckets/{quote(bucket.id, safe='')}/events", **query):
            new = [event for event in page if event["id"] not in known]
            yield from new
            if len(page) < self._page or not new:
                return
            known = {event["id"] for event in page}
            query["end"] = page[-1]["timestamp"]  # the next page repeats the event at this time

    def _get(self, path: str, **query: object) -> Any:
        address = f"{self._url}/api/0/{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            with self._open(address, timeout=self._timeout_s) as answer:
                return json.load(answer)
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            reason = getattr(error, "reason", None) or error
            raise MemoError(
                f"The ActivityWatch server at {self._url} does not answer ({reason}); start it, or correct its address."
            ) from error


def select_buckets(table: Any) -> list[Bucket]:
    """Return the buckets of the types that are read, from the table of a server or an export."""
    return [
        Bucket(str(name), bucket["type"], str(bucket.get("hostname", "")))
        for name, bucket in (table.items() if isinstance(table, dict) else ())
        if isinstance(bucket, dict) and bucket.get("type") in BUCKET_TYPES
    ]
