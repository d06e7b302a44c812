"""The duration of commands that a person waits for, with the stack running and 10,000 events stored.

python bench/commands.py
"""

from functools import partial

from _large import fill
from _stack import Report, median, memo, new_home, seconds, store, up

from memo.core.settings import Settings

NUMBER = 10_000  # events, and .3 times as many predictions
ROUNDS = 10
COMMANDS = ("status", "history", "--help")


def main() -> None:
    """Print the table."""
    report = Report(f"Commands, with {NUMBER:,} events")
    with new_home() as home:
        with store(home) as opened:
            fill(opened, Settings.load().scope, NUMBER)
        with up():
            for words in COMMANDS:
                times = [seconds(partial(memo, words)) for _ in range(ROUNDS)]
                report.add(f"`memo {words}`, median of {ROUNDS}", f"{median(times):.2f} s", "≤ 0.5 s")
    report.show()


if __name__ == "__main__":
    main()
