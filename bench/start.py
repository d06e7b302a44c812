"""The duration of `memo up` until all parts are ready, and of `memo down`.

python bench/start.py
"""

from _stack import Report, median, memo, new_home, seconds

ROUNDS = 5


def main() -> None:
    """Print the table."""
    report = Report("Start")
    with new_home():
        first = seconds(lambda: memo("up"))
        downs, ups = [seconds(lambda: memo("down"))], []
        for _ in range(ROUNDS):
            ups.append(seconds(lambda: memo("up")))
            downs.append(seconds(lambda: memo("down")))
    report.add("`memo up` in a new home", f"{first:.1f} s")
    report.add(f"`memo up` to ready, median of {ROUNDS}", f"{median(ups):.1f} s", "≤ 10 s")
    report.add(f"`memo down`, median of {len(downs)}", f"{median(downs):.1f} s", "≤ 10 s")
    report.show()


if __name__ == "__main__":
    main()
