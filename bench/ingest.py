"""How fast event lines are stored: from a file in the inbox with the whole stack running, and by `memo import`.

python bench/ingest.py
"""

from _stack import Report, invented, memo, new_home, seconds, store, up, wait_for, write_lines

LINES = 20_000  # in the inbox
IMPORTED = 100_000  # lines


def from_inbox() -> float:
    """Return the seconds from a file in the inbox to its last row."""
    with new_home() as home, up(), store(home) as opened:
        file = home.root / "lines.txt"
        write_lines(file, invented(LINES))

        def take_in() -> None:
            file.rename(home.inbox / file.name)
            wait_for(LINES, opened)

        return seconds(take_in)


def imported() -> float:
    """Return the seconds of `memo import`, including its start."""
    with new_home() as home:
        file = home.root / "lines.txt"
        write_lines(file, invented(IMPORTED))
        return seconds(lambda: memo("import", str(file)))


def main() -> None:
    """Print the table."""
    report = Report("Ingestion")
    inbox, command = from_inbox(), imported()
    goal = "≥ 5,000 per second"
    report.add(f"inbox file of {LINES:,} lines → rows", f"{LINES / inbox:,.0f} per second ({inbox:.1f} s)", goal)
    report.add(f"`memo import` of {IMPORTED:,} events", f"{IMPORTED / command:,.0f} per second ({command:.1f} s)", goal)
    report.show()


if __name__ == "__main__":
    main()
