"""Inspect a launch that is complete: JSON on standard input, its cost on standard output.

It is a process of its own, of the lowest priority, because it searches many folders.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from collector.launch import access_times, process_tree
from collector.privacy.rules import Rules, apply_to, make_rules
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop import launch_sets
from memo.desktop.launch_sets import UNIT, LaunchSet, Span, version_of
from memo.desktop.machine import be_idle
from memo.stack.process_specs import end_with_parent

DAYS = 3  # on which launches of a version are inspected; a file read shortly before one of them shows on another
BEFORE_S = 0.05  # margin before the start

WHOLE = 4 << 20  # bytes up to which a mapped file is needed whole
LARGEST = 20 << 20  # bytes up to which a file that was read, not mapped, is included


@dataclass(frozen=True, slots=True)
class Launch:
    """The launch to inspect; times are seconds since the epoch, but `began` is on the clock of `Process.began`."""

    app: str
    executable: str
    began: float
    at: float
    until: float
    alone: bool = True  # no other app started meanwhile, so all files read are this one's


def look(
    launch: Launch, known: LaunchSet | None, settings: Settings, home: Home
) -> tuple[dict[str, int], LaunchSet] | None:
    """Return what a launch cost, and `known` with what it read, if more is to be learned; None if the app is gone."""
    pids = process_tree.tree(launch.executable, launch.began)
    version = version_of(launch.executable)
    if not pids or version is None:
        return None
    faults, read = process_tree.counters(pids)
    if known is None or known.version != version:
        known = LaunchSet(launch.app, launch.executable, version, datetime.now().astimezone())
    today = datetime.fromtimestamp(launch.at, settings.zone).date().isoformat()
    if len(known.days) < DAYS and today not in known.days:
        kept = make_rules(settings.privacy, home)
        known = learned(known, today, pids, launch, lambda path: _may_keep(path, launch.executable, home, kept))
    return {"major_faults": faults, "read_bytes": read, "known_bytes": known.bytes}, known


def learned(
    known: LaunchSet, today: str, pids: Sequence[int], launch: Launch, is_kept: Callable[[str], bool]
) -> LaunchSet:
    """Return `known` with what this launch read: the executable first, then mapped files, smaller files first."""
    touched, opened = process_tree.mapped(pids), process_tree.opened(pids)
    be_idle()
    folders = access_times.roots(Path.home(), launch.executable) if launch.alone else []
    read = access_times.accessed(folders, launch.at - BEFORE_S, launch.until)
    found = dict(known.files)
    for path in {*touched, *opened, *read}:
        spans = wanted_spans(path, touched.get(path, set()), found.get(path, ()))
        if spans is not None and is_kept(path):
            found[path] = spans
    sizes = {path: bytes_of(path, spans) for path, spans in found.items()}
    order = sorted(found, key=lambda path: (path != launch.executable, path not in touched, sizes[path], path))
    files = {path: found[path] for path in order[: launch_sets.MAX_FILES]}
    return replace(
        known,
        at=datetime.fromtimestamp(launch.at).astimezone(),
        days=(*known.days, today) if launch.alone else known.days,
        files=files,
        bytes=sum(sizes[path] for path in files),
    )


def wanted_spans(path: str, touched: set[int], before: tuple[Span, ...]) -> tuple[Span, ...] | None:
    """Return a large file's spans touched now or before; an empty tuple for all of the file, None to leave it out."""
    try:
        size = os.lstat(path).st_size if os.path.isfile(path) and not os.path.islink(path) else 0
    except OSError:
        return None
    if size <= WHOLE:
        return () if size else None
    units = touched | {unit for first, count in before for unit in range(first, first + count)}
    if units:
        units.add(0)  # the loader reads a library's head before it maps it
    return _joined(units) or (() if size <= LARGEST else None)


def bytes_of(path: str, spans: tuple[Span, ...]) -> int:
    """Return the size of a file's spans in bytes; 0 if it is gone."""
    try:
        size = os.stat(path).st_size
    except OSError:
        return 0
    return min(size, sum(count for _, count in spans) * UNIT) if spans else size


def _joined(units: set[int]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for unit in sorted(units):
        if spans and sum(spans[-1]) == unit:
            spans[-1] = (spans[-1][0], spans[-1][1] + 1)
        else:
            spans.append((unit, 1))
    return tuple(spans)


def _may_keep(path: str, executable: str, home: Home, kept: Rules) -> bool:
    """Return whether a file is a program's; below the home folder, every privacy rule must also keep it."""
    person = Path.home()
    if Path(path).is_relative_to(home.root) or not access_times.is_installed(path, person, executable):
        return False
    if not Path(path).is_relative_to(person):
        return True
    folder, name = os.path.split(path)
    event = Event(datetime.now().astimezone(), Operation.FILE_ACCESS, name, detail=folder)
    return apply_to(event, kept)[0] == event


def main() -> None:
    """Inspect the launch on standard input and print the result."""
    end_with_parent()
    given: Mapping[str, Any] = json.loads(sys.stdin.readline())
    known = given["known"] and launch_sets.from_dict(given["known"])
    found = look(Launch(**given["launch"]), known, Settings.load(), Home.find())
    print(json.dumps(found and {"counts": found[0], "launch_set": launch_sets.as_dict(found[1])}))


if __name__ == "__main__":
    main()
