"""How fast lines of a file in the inbox become rows, with the whole stack running; and `memo import`."""

from _stack import Report, invented, memo, new_home, seconds, store, up, wait_for, write_lines

LINES, IMPORTED = 20_000, 100_000


def from_inbox() -> float:
    """Seconds from a whole file in the inbox to its last row."""
    with new_home() as home, up(), store(home) as opened:
        file = home.root / "lines.txt"
        write_lines(file, invented(LINES))

        def take_in() -> None:
            file.rename(home.inbox / file.name)
            wait_for(LINES, opened)

        return seconds(take_in)


def imported() -> float:
    """Seconds of `memo import`, its start included."""
    with new_home() as home:
        file = home.root / "lines.txt"
        write_lines(file, invented(IMPORTED))
        return seconds(lambda: memo("import", str(file)))


def main() -> None:
    """Print the table."""
    report = Report("Taking in")
    inbox, command = from_inbox(), imported()
    goal = "≥ 5,000 a second"
    report.add(f"inbox file of {LINES:,} lines → rows", f"{LINES / inbox:,.0f} a second ({inbox:.1f} s)", goal)
    report.add(f"`memo import` of {IMPORTED:,} events", f"{IMPORTED / command:,.0f} a second ({command:.1f} s)", goal)
    report.show()


if __name__ == "__main__":
    main()
