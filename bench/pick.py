"""How long `memo pick` takes from its call to the list, and what that time is made of, with 10,000 events stored.

python bench/pick.py
"""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
from _large import fill
from _stack import MEMO, Report, median, new_home, seconds, store

from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.sockets import answers

NUMBER = 10_000  # events
ROUNDS = 5
PICKER = "#!/bin/sh\nexec cat > /dev/null\n"  # takes the list and picks nothing
GOAL = "≤ 80 ms"
PARTS = {
    "typer, which reads the command line": "typer",
    "pydantic and the settings": "memo.core.settings",
    "SQLAlchemy and the tables": "db.models",
    "all that the list needs": "cli.pick.choices",
    "all that it takes to ask the process that stands by": "memo.stack.standby",
}


def press() -> None:
    """Do what a hotkey does."""
    subprocess.run([MEMO, "pick"], stdin=subprocess.DEVNULL, check=True)


def milliseconds(code: str) -> float:
    """Return the median duration of code in a new interpreter."""
    run = partial(subprocess.run, [sys.executable, "-c", code], check=True)
    return 1e3 * median([seconds(run) for _ in range(ROUNDS)])


def first_and_further(home: Home) -> tuple[float, float]:
    """Return the median durations of a pick without and with a process that stands by."""
    first = []
    for _ in range(ROUNDS):
        home.standby.unlink(missing_ok=True)
        first.append(seconds(press))
        while not (home.standby.exists() and answers(home.standby)):
            time.sleep(0.1)
    return 1e3 * median(first), 1e3 * median([seconds(press) for _ in range(ROUNDS)])


def held_mb(home: Home) -> float:
    """Return the memory that the process which stands by holds, its share of what others use too included."""
    found = [process.info | {"process": process} for process in psutil.process_iter(["cmdline", "environ"])]
    mine = [one for one in found if (one["environ"] or {}).get("MEMO_HOME") == str(home.root)]
    own = next(one["process"] for one in mine if "cli.pick.preloaded" in (one["cmdline"] or []))
    return float(own.memory_full_info().pss / 1e6)


def put_picker(folder: Path) -> None:
    """Have `memo pick` find a picker in a folder."""
    folder.mkdir()
    picker = folder / "dmenu"
    picker.write_text(PICKER)
    picker.chmod(0o755)
    os.environ |= {"PATH": f"{folder}:{os.environ['PATH']}", "MEMO_PICK__PROGRAM": "dmenu"}


def main() -> None:
    """Print the table."""
    report = Report(f"`memo pick`, with {NUMBER:,} events, median of {ROUNDS}")
    with new_home() as home:
        with store(home) as opened:
            fill(opened, Settings.load().scope, NUMBER)
        put_picker(home.root / "bin")
        bare = milliseconds("pass")
        first, further = first_and_further(home)
        report.add("Python alone", f"{bare:.0f} ms")
        report.add("call → the list was shown, beyond Python alone", f"{further - bare:.0f} ms", GOAL)
        report.add("the same if no process stands by, as in the first pick after `memo up`", f"{first - bare:.0f} ms")
        report.add("memory of the process that stands by (PSS)", f"{held_mb(home):.0f} MB")
        for name, module in PARTS.items():
            report.add(f"importing {name}", f"{milliseconds(f'import {module}') - bare:.0f} ms")
    report.show()


if __name__ == "__main__":
    main()
