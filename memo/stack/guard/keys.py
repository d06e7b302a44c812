"""Keys on Redis that have the name of one of ours but another type: a part could read nothing from such a key."""

from collections.abc import Iterator

from memo.core.paths import Home
from memo.stack.broker import connect
from memo.stack.guard import refusals
from memo.stack.task_queue import PRIORITY_STEPS, ROUTES, stream_key


def delete_foreign(home: Home, url: str, prefix: str) -> None:
    """Delete such keys, and count each as a refused message; requests for what is in the store are repeated."""
    with connect(url) as client:
        for key, kind in _kinds(prefix):
            if client.type(key).decode() not in (kind, "none"):
                client.delete(key)
                refusals.record(home, f"is no {kind}, which {key} has to be")


def _kinds(prefix: str) -> Iterator[tuple[str, str]]:
    """Yield each key of ours with its type. Source: kombu.transport.redis."""
    for queue in ROUTES.values():
        yield from ((f"{prefix}:{queue}" + (f"\x06\x16{step}" if step else ""), "list") for step in PRIORITY_STEPS)
    yield from ((f"{prefix}:unacked", "hash"), (f"{prefix}:unacked_index", "zset"))
    yield f"{prefix}:_kombu.binding.{prefix}", "set"
    yield stream_key(prefix), "stream"
