"""Erase what files outside the store may name: messages, logs, versions, snapshots, records, rejects and backups."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from db.upkeep.backups import NEW
from memo.core.errors import MemoError
from memo.core.files import write_atomically
from memo.core.paths import Home
from memo.stack import running
from memo.stack.broker import broker_url, connect, key_prefix
from memo.stack.task_queue import is_redis, stream_key

if TYPE_CHECKING:
    from redis import Redis

    from memo.core.settings import Settings

REWRITE_S = 60.0  # longest wait until the broker has rewritten its files
REMOVALS = 5  # attempts at deleting a folder
POLL_S = 0.05  # between two looks at the broker meanwhile
UNFINISHED = "unfinished-"  # prefix of the folder in which a version is built
VERSION = re.compile(r"v([0-9]+)(-[0-9a-f]+)?")  # name of a version or its folder, which ends with its content's hash
FORGOTTEN = "forgotten"  # file in the folder of a version whose row is being deleted; end of a folder's name


def clear_messages(home: Home, settings: "Settings") -> None:
    """Delete all predictions from the stream, and from the embedded broker's files, whether it runs or not.

    Messages that an AMQP broker or another server holds in files or queues are left to them. Raises MemoError if the
    broker fails.
    """
    url = broker_url(home, settings)
    if not settings.broker_url and running.holder(home) is None:
        with running.hold(home):  # nobody starts it meanwhile
            _remove(home.broker)
    elif is_redis(url):
        _clear_stream(home, url, stream_key(key_prefix(settings)), embedded=not settings.broker_url)


def _clear_stream(home: Home, url: str, stream: str, embedded: bool) -> None:
    try:
        with connect(url) as client:
            client.xtrim(stream, maxlen=0, approximate=False)
            if embedded:
                _rewrite(client, home.broker)
    except MemoError:
        raise
    except Exception as error:  # each client library has many of its own
        raise MemoError(
            f"The broker still holds messages that name it ({type(error).__name__}: {error}); "
            "run `memo down`, then the same command again."
        ) from error


def _rewrite(client: "Redis", folder: Path) -> None:
    """Make the broker rewrite its append-only file, and wait until the old files are deleted."""
    deadline = time.monotonic() + REWRITE_S
    _wait_until(lambda: _is_idle(client), deadline)  # a rewrite in progress began before the stream was cleared
    before = _find_files(folder)
    client.bgrewriteaof()
    _wait_until(lambda: _is_idle(client) and not before & _find_files(folder), deadline)


def _is_idle(client: "Redis") -> bool:
    found: dict[str, Any] = client.info("persistence")
    return not found["aof_rewrite_in_progress"] and not found["aof_rewrite_scheduled"]


def _find_files(folder: Path) -> set[str]:
    """Return the names of the append-only files, without the manifest, which keeps its name."""
    return {path.name for path in folder.glob("*/*.aof")} | {path.name for path in folder.glob("*/*.rdb")}


def _wait_until(is_done: Callable[[], bool], deadline: float) -> None:
    while not is_done():
        if time.monotonic() > deadline:
            raise MemoError(
                "The broker did not rewrite its file in time; run `memo down`, then the same command again."
            )
        time.sleep(POLL_S)


def empty_logs(home: Home) -> None:
    """Empty all logs, as a handler's line or an error may name anything; processes go on writing to them."""
    for path in home.logs.iterdir():
        if path.suffix in (".log", ".out"):
            os.truncate(path, 0)
        else:  # rotated
            path.unlink()


def read_records(home: Home) -> list[dict[str, Any]]:
    """Return what the handler `record` wrote."""
    return [record for path in _record_files(home) for _, record in _read_lines(path)]


def read_rejects(home: Home) -> Iterator[dict[str, Any]]:
    """Yield which lines could not be read, and why."""
    return (reject for path in sorted(home.rejects.iterdir()) for _, reject in _read_lines(path))


def clear_records(home: Home, is_kept: Callable[[dict[str, Any]], bool]) -> None:
    """Delete the lines of the handler `record` that are not kept."""
    for path in _record_files(home):
        write_atomically(path, "".join(f"{line}\n" for line, record in _read_lines(path) if is_kept(record)))


def _record_files(home: Home) -> list[Path]:
    return [path for path in home.root.glob(f"{home.recorded.name}*") if path.suffix != ".new"]


def _read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each line with its JSON object; a line whose writing was interrupted is left out."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for line in text.split("\n"):  # a title may contain other line breaks
        with suppress(ValueError):
            yield line, json.loads(line)


def remove_copies(home: Home) -> None:
    """Delete the backups of the store, one that was being restored, and the damaged files that were set aside."""
    for unfinished in home.root.glob(f"memo.db*{NEW}"):
        unfinished.unlink(missing_ok=True)
    for folder in (home.backups, home.damaged):
        _remove(folder.with_name(f"{folder.name}.{FORGOTTEN}"))  # of an interrupted call
        if folder.exists():  # renamed first, so that no backup under way is completed in it
            _remove(folder.rename(folder.with_name(f"{folder.name}.{FORGOTTEN}")))


def _remove(folder: Path) -> None:
    """Delete a folder. Raises MemoError, which names it, if that can't be done."""
    for _ in range(REMOVALS):  # a process may be writing to it
        if not os.path.lexists(folder):
            return
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):
        raise MemoError(f"{folder} can't be deleted and may hold what is to be forgotten; delete it, then try again.")


def clear_learned(home: Home) -> None:
    """Delete the worker's snapshots; a worker that is writing one notices, and deletes it itself."""
    for path in home.learned.iterdir():
        _remove(path) if path.is_dir() else path.unlink(missing_ok=True)


def clear_rejects(home: Home, is_named: Callable[[str], bool]) -> None:
    """Delete the rejects of files whose name matches, and those of which no line can be read."""
    for path in home.rejects.iterdir():
        names = [reject["file"] for _, reject in _read_lines(path)]
        if not names or any(map(is_named, names)):
            path.unlink()


def mark_versions(home: Home, folders: Iterable[Path]) -> None:
    """Mark the folders of versions in this home whose rows are being deleted."""
    for folder in folders:
        if folder.is_dir():
            (folder / FORGOTTEN).touch()


def remove_versions(home: Home, kept: Collection[Path], are_unknown_too: bool = False) -> None:
    """Delete the marked folders of versions, except those `kept`, and the folders of builds that are unfinished.

    With `are_unknown_too`, those without a mark are deleted as well: a store that was lost may have left them.
    """
    marked = {mark.parent for mark in home.models.glob(f"*/{FORGOTTEN}")}
    unknown = {path for path in home.models.iterdir() if VERSION.fullmatch(path.name)} if are_unknown_too else set()
    for folder in (marked | unknown) - {*kept}:  # renamed first, as its mark may be the first file that is deleted
        folder.rename(home.models / f"{UNFINISHED}{folder.name}")
    for folder in home.models.glob(f"{UNFINISHED}*"):
        _remove(folder)
