"""Replay a file's events through the inbox: `python -m data.replay FILE [--speed X] [--scope S]`.

The lines are appended to a file of their own in the inbox, at their own pace, but with pauses of at most a second. That
file is removed once the collector has read it to its end, or when the replay is interrupted; a second replay adds what
is missing.
"""

import argparse
import hashlib
import math
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from data.importers import lines
from data.importers.line import read_line
from memo.core.errors import GrammarError, MemoError, UsageError
from memo.core.paths import Home
from memo.core.settings import SCOPE_PATTERN, Settings
from memo.stack.process_specs import end_with_parent

if TYPE_CHECKING:
    from db.engine import Store

PAUSE_S = 1.0  # the longest pause between two lines
POLL_S = 0.1  # between two queries for the collector's cursor
UNFIT = re.compile(r"[\\\x00-\x1f\x7f-\x9f\ud800-\udfff]|\.tmp$")  # not allowed in the name of an inbox folder
LONGEST_NAME = 100  # bytes
LONGEST_SCOPE = 255  # bytes; NAME_MAX of Linux
SAMPLE = Path(__file__).parent / "sample"
SAMPLE_SCOPE = "sample@memo"


def scope_of(path: Path) -> str:
    """Return the default scope of a file's replay."""
    return SAMPLE_SCOPE if path.resolve().parent == SAMPLE.resolve() else f"replay@{_name(path)}"


def _name(path: Path) -> str:
    """Return the file's name, shortened and fit for a folder; a changed name gets a digest, to stay unique."""
    name = UNFIT.sub("~", path.stem).encode()[:LONGEST_NAME].decode(errors="ignore")
    digest = hashlib.blake2b(os.fsencode(path.stem), digest_size=4).hexdigest()
    return name if name == path.stem else f"{name}~{digest}"


def replay(path: Path, speed: float, scope: str) -> str:
    """Replay the events of a file, wait until the collector has read them, and return the result as a sentence.

    Pauses between events are divided by `speed` and cut to `PAUSE_S`; a speed of 0 means no pauses.
    """
    from db import migrate
    from db.engine import open_store

    if not 0 <= speed < math.inf:
        raise UsageError(f"{speed} is not a speed; give a number above 0, or 0 for as fast as possible.")
    settings, home = Settings.load(), Home.find()
    if not re.fullmatch(SCOPE_PATTERN, scope) or UNFIT.search(scope) or len(scope.encode()) > LONGEST_SCOPE:
        raise UsageError(f"{scope!r} can't be a scope; choose one with --scope.")
    found = lines(path, settings.zone, settings.language)
    folder = home.inbox / scope
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"replay-{_name(path)}.txt"
    target.unlink(missing_ok=True)  # left by a killed replay
    migrate.upgrade(settings, home)
    with (
        closing(open_store(settings, home)) as store,
        target.open("x", encoding="utf-8", errors="surrogateescape") as file,
    ):
        before = _find_last_seq(store, scope)
        try:
            for pause, line in _paced(found, settings, speed):
                if pause:
                    file.flush()
                    time.sleep(pause)
                file.write(f"{line}\n")
            file.flush()
            _wait_until_read(file, store)
        finally:
            target.unlink(missing_ok=True)
        new = _find_last_seq(store, scope) - before
    return f"Replayed {len(found)} lines of {path} in the scope {scope}; {new or 'none'} of them were new."


def _paced(found: list[str], settings: Settings, speed: float) -> Iterator[tuple[float, str]]:
    """Yield each line with the pause before it, in seconds."""
    last: datetime | None = None
    for line in found:
        try:
            at = read_line(line.encode(errors="surrogateescape"), settings.zone).at if speed else None
        except GrammarError:
            at = None
        gap = (at - last).total_seconds() / speed if at and last else 0.0
        yield min(max(gap, 0.0), PAUSE_S), line
        last = at or last


def _wait_until_read(file: IO[str], store: "Store") -> None:
    """Wait until the collector's cursor is at the end; a file removed earlier may lose lines."""
    from db.intake import cursors

    found = os.fstat(file.fileno())
    while True:
        with store.read() as session:
            stored = cursors.find_cursor(session, "inbox", f"{found.st_dev}:{found.st_ino}")
        if stored and stored["cursor"]["offset"] >= found.st_size:
            return
        time.sleep(POLL_S)


def _find_last_seq(store: "Store", scope: str) -> int:
    from db.intake import events

    with store.read() as session:
        return events.find_last_seq(session, scope)


def main() -> None:
    """Replay the file given as an argument."""
    end_with_parent()
    parser = argparse.ArgumentParser(prog="python -m data.replay", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--speed", type=float, default=1.0, help="speed-up factor; 0: as fast as possible")
    parser.add_argument("--scope", help="scope of the events; default replay@NAME")
    given = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))  # removes the file
    try:
        print(replay(given.file, given.speed, given.scope or scope_of(given.file)))
    except MemoError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
