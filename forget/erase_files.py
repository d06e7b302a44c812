"""What stands outside of the store and may name what is forgotten: messages, logs, what handlers wrote, rejects."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memo.core.errors import MemoError
from memo.core.files import open_private
from memo.core.paths import Home
from memo.messaging.message import STREAM, redis_client
from memo.stack import running
from memo.stack.broker import broker_url
from memo.stack.task_queue import is_redis

if TYPE_CHECKING:
    from redis import Redis

    from memo.core.settings import Settings

REWRITE_S = 60.0
POLL_S = 0.05
UNFINISHED = "unfinished-"
"""Begins the name of the folder in which a version is made."""


def clear_messages(home: Home, settings: "Settings") -> None:
    """Empty the stream of predictions, and the files of the embedded broker of it, whether that runs or not.

    What an AMQP broker holds for its readers is theirs to empty, and so are another server's files. Raises MemoError
    where the broker does not do it.
    """
    url = broker_url(home, settings)
    if not settings.broker_url and running.holder(home) is None:
        with running.hold(home):  # nobody starts it meanwhile
            shutil.rmtree(home.broker, ignore_errors=True)
    elif is_redis(url):
        _clear_stream(home, url, embedded=not settings.broker_url)


def _clear_stream(home: Home, url: str, embedded: bool) -> None:
    try:
        with redis_client(url) as client:
            client.xtrim(STREAM, maxlen=0, approximate=False)
            if embedded:
                _rewrite(client, home.broker)
    except MemoError:
        raise
    except Exception as error:  # each client library has many of its own
        raise MemoError(
            f"The broker still holds messages that name it ({type(error).__name__}: {error}); "
            "run `memo down`, then the same again."
        ) from error


def _rewrite(client: "Redis", folder: Path) -> None:
    """Let the broker write its append-only file anew, and wait until the old files are gone."""
    deadline = time.monotonic() + REWRITE_S
    _until(lambda: _idle(client), deadline)  # one that is under way began before
    before = _files(folder)
    client.bgrewriteaof()
    _until(lambda: _idle(client) and not before & _files(folder), deadline)


def _idle(client: "Redis") -> bool:
    found: dict[str, Any] = client.info("persistence")
    return not found["aof_rewrite_in_progress"] and not found["aof_rewrite_scheduled"]


def _files(folder: Path) -> set[str]:
    """The append-only files; the list of them keeps its name."""
    return {path.name for path in folder.glob("*/*.aof")} | {path.name for path in folder.glob("*/*.rdb")}


def _until(done: Callable[[], bool], deadline: float) -> None:
    while not done():
        if time.monotonic() > deadline:
            raise MemoError("The broker did not write its file anew; run `memo down`, then the same again.")
        time.sleep(POLL_S)


def empty_logs(home: Home) -> None:
    """Empty all logs: a line of a handler's, or of an error, may name anything. Whoever writes there goes on."""
    for path in home.logs.iterdir():
        if path.suffix in (".log", ".out"):
            os.truncate(path, 0)
        else:  # set aside
            path.unlink()


def recorded(home: Home) -> list[dict[str, Any]]:
    """What the handler `record` wrote."""
    return [said for path in _records(home) for _, said in _lines(path)]


def rejected(home: Home) -> Iterator[dict[str, Any]]:
    """Which lines could not be read, and why."""
    return (said for path in sorted(home.rejects.iterdir()) for _, said in _lines(path))


def clear_record(home: Home, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Leave only the lines to keep in what the handler `record` wrote."""
    for path in _records(home):
        kept = "".join(f"{line}\n" for line, said in _lines(path) if keep(said))
        fresh = path.with_suffix(".new")
        with open(fresh, "w", encoding="utf-8", opener=open_private) as file:
            file.write(kept)
        fresh.replace(path)


def _records(home: Home) -> list[Path]:
    return [path for path in home.root.glob("dispatched.jsonl*") if path.suffix != ".new"]


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines and what they say, but for those that were broken off."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for line in text.split("\n"):  # other line breaks may stand in a title
        with suppress(ValueError):
            yield line, json.loads(line)


def clear_learned(home: Home) -> None:
    """Remove the worker's snapshots; one that is being written is removed by whoever writes it."""
    for path in home.learned.iterdir():
        path.unlink(missing_ok=True)


def clear_rejects(home: Home, is_named: Callable[[str], bool]) -> None:
    """Remove the rejects of files whose name says it, and those of which nothing can be read."""
    for path in home.rejects.iterdir():
        names = [said["file"] for _, said in _lines(path)]
        if not names or any(map(is_named, names)):
            path.unlink()


def remove_versions(home: Home, folders: Iterable[Path]) -> None:
    """Remove the folders of versions that stand in this home, and what is left of those that were never ended."""
    for folder in (*folders, *home.models.glob(f"{UNFINISHED}*")):
        if folder.resolve().parent == home.models.resolve():
            shutil.rmtree(folder, ignore_errors=True)
