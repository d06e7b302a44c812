"""How long `memo pick` takes from its call to the list, and what that time is made of, with 10,000 events stored.

python bench/pick.py
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from _stack import Report, median, memo, new_home, seconds
from commands import NUMBER, ROUNDS, fill

PICKER = "#!/bin/sh\nexec cat > /dev/null\n"  # takes the list and picks nothing
PARTS = {
    "typer, which reads the command line": "typer",
    "pydantic and the settings": "memo.core.settings",
    "SQLAlchemy and the tables": "db.models",
}


def run_python(code: str) -> None:
    """Run code in a new interpreter."""
    subprocess.run([sys.executable, "-c", code], check=True)


def milliseconds(code: str) -> float:
    """Return the median duration of code in a new interpreter."""
    return 1e3 * median([seconds(partial(run_python, code)) for _ in range(ROUNDS)])


def main() -> None:
    """Print the table."""
    report = Report(f"`memo pick`, with {NUMBER:,} events and predictions, median of {ROUNDS}")
    with new_home() as home:
        fill(home)
        folder = home.root / "bin"
        folder.mkdir()
        put_picker(folder)
        bare = milliseconds("pass")
        times = [seconds(partial(memo, "pick")) for _ in range(ROUNDS)]
        report.add("Python alone", f"{bare:.0f} ms")
        report.add(
            "call → the picker has the list, beyond Python alone", f"{1e3 * median(times) - bare:.0f} ms", "≤ 80 ms"
        )
        for name, module in PARTS.items():
            report.add(f"part: importing {name}", f"{milliseconds(f'import {module}') - bare:.0f} ms")
    report.show()


def put_picker(folder: Path) -> None:
    """Have `memo pick` find a picker in a folder."""
    picker = folder / "dmenu"
    picker.write_text(PICKER)
    picker.chmod(0o755)
    os.environ |= {"PATH": f"{folder}:{os.environ['PATH']}", "MEMO_PICK__PROGRAM": "dmenu"}


if __name__ == "__main__":
    main()
