"""How long `memo train` takes on the events of about 600 windows of a file, with the built-in model."""

import json

from _stack import Report, invented, memo, new_home, seconds, write_lines

EVENTS = 1_700
"""So many stand in 600 windows of five lines whose overlaps are put together."""


def main() -> None:
    """Print the table."""
    report = Report(f"Training on {EVENTS:,} events")
    said: list[str] = []
    with new_home() as home:
        file = home.root / "lines.txt"
        write_lines(file, invented(EVENTS))
        whole = seconds(lambda: said.append(memo("train", str(file), "--json")))
    steps = json.loads(said[0])["metrics"]["steps"]
    report.add("`memo train FILE`", f"{whole:.0f} s", "≤ 300 s")
    report.add("steps", str(steps))
    report.add("seconds a step, start and evaluation included", f"{whole / steps:.2f} s")
    report.show()


if __name__ == "__main__":
    main()
