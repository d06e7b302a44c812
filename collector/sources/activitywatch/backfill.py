"""All that an ActivityWatch knows: of its server, or of a file that it has exported."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Any

from collector.sources.activitywatch.aw_server import Bucket, Server, buckets_of
from collector.sources.activitywatch.aw_timeline import Timeline, read_observation
from data.importers import Reject, open_file
from memo.core.errors import GrammarError, MemoError
from memo.core.events import Event

EVERY = 100
"""Events between two steps of the progress."""

Progress = Callable[[int, int], None]
Raw = tuple[Bucket, Any]


def of_server(url: str, progress: Progress) -> Iterator[Raw]:
    """The events of a server. Raises MemoError where it does not answer."""
    server = Server(url)
    buckets = server.buckets()
    total = sum(map(server.count, buckets))
    return _shown(((bucket, raw) for bucket in buckets for raw in server.events(bucket)), total, progress)


def of_file(path: Path, progress: Progress) -> Iterator[Raw]:
    """The events of an export. Raises MemoError where it is none."""
    with open_file(path) as file:
        try:
            table = json.load(file)["buckets"]
            found = [(bucket, raw) for bucket in buckets_of(table) for raw in table[bucket.id]["events"]]
        except (KeyError, RecursionError, TypeError, ValueError) as error:
            raise MemoError(
                f"{path} is no export of ActivityWatch; export all buckets as JSON, and name that."
            ) from error
    return _shown(found, len(found), progress)


def everything(given: Iterable[Raw], zone: tzinfo) -> tuple[list[Event], list[Reject]]:
    """What these are as events of ours, in the order of time, and what could not be read."""
    found, rejects = [], []
    for number, (bucket, raw) in enumerate(given, 1):
        try:
            one = read_observation(bucket, raw, zone)
            reason = one.fault
            found.append(one)
        except GrammarError as error:
            reason = str(error)
        if reason:
            rejects.append(Reject.of("object", number, reason, json.dumps(raw).encode()))
    timeline = Timeline()
    return [*timeline.take(sorted(found, key=lambda one: one.at)), *timeline.close()], rejects


def _shown(given: Iterable[Raw], total: int, progress: Progress) -> Iterator[Raw]:
    for number, one in enumerate(given, 1):
        if number % EVERY == 0:
            progress(number, total)
        yield one
    progress(total, total)
