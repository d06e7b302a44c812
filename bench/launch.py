"""The time that preloading saves: launches of real apps cold, preloaded by MEMO's own handler, and warm.

    python bench/launch.py [--runs N] [--only APP…] [--json]

Needs root, for /proc/sys/vm/drop_caches, and these packages of Debian, by `apt-get install --no-install-recommends`:
xvfb dbus gedit gimp inkscape chromium libreoffice-writer libreoffice-gtk3 adwaita-icon-theme.

MEMO learns from one launch, after the times of last access were set back to those of an app's first launch of a day.
Each run is then a cold, a preloaded and a warm launch. The caches are those of the whole machine: other processes
affect the figures.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from _desktop import SETTLED_S, App, Desktop, Running, new_desktop
from _stack import machine, median, new_home

from collector.launch import access_times, proc, process_tree
from collector.launch.inspection import Launch
from db.intake.launch_sets import find_launch_set, record_launch_set
from db.store_access import writable_store
from memo.core.events import Action, Operation
from memo.core.paths import Home
from memo.core.predictions import Candidate
from memo.core.settings import Settings
from memo.desktop.launch_sets import LaunchSet, from_dict
from memo.protocols import DispatchContext
from training.evaluation import metrics
from worker.handlers.preload_app import PreloadAppHandler

DAY_S = 86_400
QUIET_S = 0.5  # after caches were dropped, for other processes to read back what they need
STATES = ("warm", "cold")  # states of an app that is launched during a preload
Figures = dict[str, float]


def apps(home: Path) -> list[App]:
    """Return the apps to measure."""
    profile = f"--user-data-dir={home}/.config/chromium"
    return [
        App("gedit", ("gedit", "--standalone"), "gedit"),
        App("inkscape", ("inkscape",), "inkscape"),
        App("gimp", ("gimp", "--no-splash"), "gimp"),
        App("libreoffice-writer", ("soffice", "--writer", "--nologo", "--norestore"), "soffice"),
        App("chromium", ("chromium", "--no-sandbox", "--no-first-run", profile, "about:blank"), "chromium"),
    ]


def drop() -> None:
    """Drop all caches that no process holds."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
    time.sleep(QUIET_S)


def set_back(folders: list[str]) -> None:
    """Set the last access of each file back by at least a day."""
    recent = access_times.accessed(folders, time.time() - DAY_S, time.time())
    for path in recent:
        with suppress(OSError):
            found = os.stat(path)
            os.utime(path, ns=(found.st_atime_ns - 2 * DAY_S * 10**9, found.st_mtime_ns))


def learn(desktop: Desktop, app: App) -> LaunchSet:
    """Return the launch set after one cold launch, found by the same process that the collector starts."""
    drop()
    running = desktop.launch(app)
    time.sleep(SETTLED_S)
    executable, began = program(running)
    launch = Launch(app.name, executable, began, running.began_at, time.time())
    done = subprocess.run(
        [sys.executable, "-m", "collector.launch.inspection"],
        input=json.dumps({"launch": asdict(launch), "known": None}),
        text=True,
        check=True,
        stdout=subprocess.PIPE,
    )
    running.end()
    found = json.loads(done.stdout)
    assert found, f"nothing was learned of {app.name}"
    known = from_dict(found["launch_set"])
    settings = Settings.load()
    with writable_store(settings, Home.find()) as store, store.write() as session:
        record_launch_set(session, settings.scope, known, find_launch_set(session, settings.scope, app.name))
    return known


def program(running: Running) -> tuple[str, float]:
    """Return the app's executable and its start time, as the process source reports them."""
    found = proc.read(running.process.pid)
    assert found is not None
    return found.executable, found.began


def preload(name: str) -> dict[str, Any]:
    """Return the result of the handler; runs in a process of its own, as handlers do."""
    settings, now = Settings.load(), datetime.now(UTC)
    candidate = Candidate(Action(Operation.PROCESS_START, name), 1.0, now)
    context = DispatchContext(1, settings.scope, now, now + timedelta(minutes=10))
    return PreloadAppHandler(settings, Home.find()).handle(candidate, context)


def measure(desktop: Desktop, app: App) -> Figures:
    """Launch an app; return the ms to its window, and the major faults and MB read until it has settled."""
    running = desktop.launch(app)
    time.sleep(SETTLED_S)
    faults, read = process_tree.counters(one.pid for one in running.tree())
    running.end()
    return {"ms": running.ms, "major_faults": faults, "read_mb": read / 1e6}


class Bench:
    """A desktop, and a process that preloads."""

    def __init__(self, desktop: Desktop, pool: ProcessPoolExecutor, runs: int) -> None:
        self._desktop, self._pool, self._runs = desktop, pool, runs

    def gap(self, app: App) -> dict[str, Any]:
        """Return the figures of cold, preloaded and warm launches."""
        known = learn(self._desktop, app)
        found: dict[str, list[Figures]] = {"cold": [], "preloaded": [], "warm": []}
        costs = []
        for _ in range(self._runs):
            drop()
            found["cold"].append(measure(self._desktop, app))
            drop()
            costs.append(self._preload(app).result())
            found["preloaded"].append(measure(self._desktop, app))
            found["warm"].append(measure(self._desktop, app))
        row: dict[str, Any] = {"app": app.name, "files": len(known.files), "runs": self._runs}
        for state, launches in found.items():
            row |= {f"{state}_{key}": round(median([one[key] for one in launches]), 1) for key in launches[0]}
        saved, possible = row["cold_ms"] - row["preloaded_ms"], row["cold_ms"] - row["warm_ms"]
        row["closed"] = round(saved / possible, 3) if possible > 0 else None
        row["mb"] = round(median([one["read_bytes"] / 1e6 for one in costs]), 1)
        row["preload_ms"] = round(median([one["reading_ms"] for one in costs]), 1)
        return row

    def slow_down(self, app: App, other: App) -> dict[str, Any]:
        """Return how much longer another app's launch takes, warm and cold, while this one is preloaded."""
        row: dict[str, Any] = {"beside": other.name}
        for state, prepare in zip(STATES, (self._warm, lambda _: drop()), strict=True):
            pairs = [(self._beside(other, prepare, None), self._beside(other, prepare, app)) for _ in range(self._runs)]
            alone, beside = (median(times) for times in zip(*pairs, strict=True))
            row |= {f"beside_{state}_ms": [round(alone, 1), round(beside, 1)]}
            row |= {f"slower_{state}": round(beside / alone - 1, 3)}
            row |= {f"pairs_{state}": [round(beside / alone, 3) for alone, beside in pairs]}
        return row

    def _warm(self, app: App) -> None:
        drop()
        self._desktop.launch(app).end()

    def _beside(self, other: App, prepare: Callable[[App], None], app: App | None) -> float:
        prepare(other)
        going = self._preload(app) if app else None
        running = self._desktop.launch(other)
        running.end()
        if going:
            going.result()
        return running.ms

    def _preload(self, app: App) -> "Future[dict[str, Any]]":
        return self._pool.submit(preload, app.name)


def table(rows: list[dict[str, Any]]) -> None:
    """Print the table for docs/benchmarks.md."""
    print("## Launches\n")
    load = os.getloadavg()[0]
    print(f"`.venv/bin/python {' '.join(sys.argv)}` on {machine()}; load average at the end {load:.1f}.\n")
    heads = ("app", "cold", "preloaded", "warm", "gap closed", "preload", "major faults", "MB read by the app")
    print(f"| {' | '.join((*heads, 'slow-down of another app launched meanwhile, warm / cold'))} |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: | --: |")
    for row in rows:
        times = " | ".join(f"{row[f'{state}_ms'] / 1e3:.2f} s" for state in ("cold", "preloaded", "warm"))
        faults = " → ".join(f"{row[f'{state}_major_faults']:.0f}" for state in ("cold", "preloaded", "warm"))
        read = " → ".join(f"{row[f'{state}_read_mb']:.0f}" for state in ("cold", "preloaded", "warm"))
        closed = "–" if row["closed"] is None else f"{row['closed']:.0%}"
        slower = f"{row['slower_warm']:+.0%} / {row['slower_cold']:+.0%} ({row['beside']})"
        cost = f"{row['mb']:.0f} MB, {row['preload_ms']:.0f} ms"
        print(f"| {row['app']} | {times} | {closed} | {cost} | {faults} | {read} | {slower} |")
    slower = ", ".join(
        f"{state} {slowed([pair for row in rows for pair in row[f'pairs_{state}']])}" for state in STATES
    )
    print(f"\nA launch during a preload takes longer, over all pairs, mean and 95 % interval: {slower}.")


def slowed(ratios: list[float]) -> str:
    """Return how much longer a launch took during a preload than alone: the geometric mean with its interval."""
    logs = [math.log(ratio) for ratio in ratios]
    mean, low, high = (math.expm1(value) for value in (sum(logs) / len(logs), *metrics.interval(logs)))
    return f"{mean:+.1%} [{low:+.1%}, {high:+.1%}]"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--runs", type=int, default=10, help="launches of each kind")
    parser.add_argument("--only", nargs="*", default=[], help="these apps alone")
    given = parser.parse_args()
    with new_home() as home:
        person = home.root / "person"
        person.mkdir()
        os.environ["HOME"] = str(person)
        with new_desktop(person) as desktop, ProcessPoolExecutor(1, get_context("spawn")) as pool:
            known = apps(person)
            for app in known:
                desktop.launch(app).end()  # the first launch creates the app's configuration
                time.sleep(SETTLED_S)
            bench, rows = Bench(desktop, pool, given.runs), []
            pool.submit(preload, "").exception()  # starts the process
            for app in [app for app in known if not given.only or app.name in given.only]:
                set_back(access_times.roots(person, "/usr/bin/none"))
                other = known[0] if app.name != known[0].name else known[1]
                rows.append(bench.gap(app) | bench.slow_down(app, other))
    if given.json:
        print(json.dumps({"machine": machine(), "apps": rows}, indent=1))
    else:
        table(rows)


if __name__ == "__main__":
    main()
