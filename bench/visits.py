"""The delay from a visit written by a browser to its row, and the duration of the first import of a history.

python bench/visits.py
"""

import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from _stack import Report, memo, new_home, seconds, store, up, wait_for

from collector.sources.web.web import TIMINGS
from memo.core.paths import Home

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from histories import Chromium, Firefox  # noqa: E402

VISITS = 100_000  # in the first import
DAYS = 29
OLD = 20_000  # visits in a history before a new one is measured
TIMES = 3  # new visits


@contextmanager
def person() -> Iterator[tuple[Home, Path]]:
    """Provide an empty MEMO_HOME, and an empty home folder for browser profiles."""
    own, folder = os.environ["HOME"], Path(tempfile.mkdtemp(prefix="mp", dir="/tmp"))
    with new_home() as home:
        os.environ |= {"HOME": str(folder), "MEMO_SOURCES__ON": '["web"]'}
        try:
            yield home, folder
        finally:
            os.environ["HOME"] = own
            shutil.rmtree(folder)


def fill(browser: Chromium | Firefox, visits: int) -> None:
    """Write visits, spread evenly over the last days."""
    step = timedelta(days=DAYS) / visits
    begin = datetime.now(UTC) - timedelta(days=DAYS)
    for n in range(visits):
        browser.write(f"https://site{n % 500}.org/{n}", f"Page {n % 5_000}", begin + n * step)
    browser.database.commit()


def live(report: Report) -> None:
    """Visit and wait for the row, every few seconds."""
    with person() as (home, folder):
        browsers: dict[str, Chromium | Firefox] = {
            "Chromium": Chromium(folder / ".config/chromium/Default"),
            "Firefox": Firefox(folder / ".mozilla/firefox/a.default"),
        }
        for browser in browsers.values():
            fill(browser, OLD)
        took = {name: list[float]() for name in browsers}
        with up(), closing(sqlite3.connect(home.root / "memo.db")) as rows:
            for nth in range(TIMES):
                time.sleep(TIMINGS.settle + 2)
                for name, browser in browsers.items():
                    browser.visit("https://new.org", f"{name} {nth}")
                    took[name].append(seconds(partial(_wait_for, rows, f"{name} {nth}")))
        for browser in browsers.values():
            browser.close()
    for name, values in took.items():
        report.add(f"visit written by {name} → row, slowest of {TIMES}", f"{max(values):.2f} s", "≤ 2 s")


def _wait_for(rows: sqlite3.Connection, title: str) -> None:
    while not rows.execute("SELECT 1 FROM events WHERE detail = ?", (title,)).fetchone():
        time.sleep(0.005)


def first(report: Report) -> None:
    """Import a long history, once by the daemon and once by the command."""
    goal, took = "≤ 20 s", list[float]()
    for by_command in (False, True):
        with person() as (home, folder):
            browser = Chromium(folder / ".config/chromium/Default")
            fill(browser, VISITS)
            browser.close()
            if by_command:
                took.append(seconds(lambda: memo("import", "--browser")))
            else:
                began = time.perf_counter()
                with up(), store(home) as opened:
                    wait_for(VISITS, opened)
                    took.append(time.perf_counter() - began)
    report.add(f"first import of {VISITS:,} visits, from `memo up` to the last row", f"{took[0]:.1f} s", goal)
    report.add(f"`memo import --browser` of {VISITS:,} visits", f"{took[1]:.1f} s", goal)


def main() -> None:
    """Print the table."""
    report = Report("Web visits")
    first(report)
    live(report)
    report.show()


if __name__ == "__main__":
    main()
