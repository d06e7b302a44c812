"""All events of an ActivityWatch server, or of a file exported by one."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from collector.sources.activitywatch.aw_server import PAGE, Bucket, Server, select_buckets
from collector.sources.activitywatch.aw_timeline import Timeline, read_observation
from data.importers import Reject, open_file
from memo.core.errors import GrammarError, MemoError
from memo.core.events import Event
from memo.core.steps import Progress, with_progress

Raw = tuple[Bucket, Any]


def read_server(url: str, progress: Progress, page: int = PAGE) -> Iterator[Raw]:
    """Yield the events of a server. Raises MemoError if it does not answer."""
    server = Server(url, page)
    buckets = server.buckets()
    total = sum(map(server.count, buckets))
    return with_progress(((bucket, raw) for bucket in buckets for raw in server.events(bucket)), total, progress)


def read_export(path: Path, progress: Progress) -> Iterator[Raw]:
    """Yield the events of an export. Raises MemoError if the file is not one."""
    with open_file(path) as file:
        try:
            table = json.load(file)["buckets"]
            events = [(bucket, raw) for bucket in select_buckets(table) for raw in table[bucket.id]["events"]]
        except (KeyError, RecursionError, TypeError, ValueError) as error:
            raise MemoError(
                f"{path} is not an ActivityWatch export; export all buckets as JSON and name that file."
            ) from error
    return with_progress(events, len(events), progress)


def to_events(raws: Iterable[Raw], zone: tzinfo) -> tuple[list[Event], list[Reject]]:
    """Return MEMO's events for these, in the order of time, and what could not be read."""
    observations, rejects = [], []
    for number, (bucket, raw) in enumerate(raws, 1):
        try:
            observation = read_observation(bucket, raw, zone)
            reason = observation.fault
            observations.append(observation)
        except GrammarError as error:
            reason = str(error)
        if reason:
            rejects.append(Reject.of("object", number, reason, json.dumps(raw).encode()))
    timeline = Timeline()
    ordered = sorted(observations, key=lambda observation: observation.at)
    return [*timeline.to_events(ordered), *timeline.close(datetime.now(UTC))], rejects
