"""How long the page takes in a store of years: the first request of each view, and from an event to the page.

python bench/page.py [NUMBER]
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

from _large import fill
from _stack import Report, median, memo, new_home, seconds, store, up

from memo.clock.reading import Reading
from memo.core.events import Event, Operation
from memo.core.grammar import write
from memo.core.paths import Home
from memo.core.settings import Settings
from ui.link import end
from ui.page import VIEWS

NUMBER = 1_000_000  # events, and .3 times as many predictions
ROUNDS = 10
WAIT_S = 120.0
QUESTIONS = ("/day?span=month", "/history?text=no+such+text", "/history?app=absent", "/history?result=hit")


class Visitor:
    """A browser with the cookie of a link."""

    def __init__(self, link: str) -> None:
        self._address = urlsplit(link).netloc
        self._cookie = ""
        answer = self.get(f"/enter?{urlsplit(link).query}")
        self._cookie = SimpleCookie(answer.headers["set-cookie"]).output(attrs=[], header="").strip()

    def get(self, path: str) -> HTTPResponse:
        """Return the head of an answer, with its body still to be read."""
        connection = HTTPConnection(self._address, timeout=WAIT_S)
        connection.request("GET", path, headers={"cookie": self._cookie})
        return connection.getresponse()

    def view(self, path: str) -> None:
        """Get a whole page; exit if it is none."""
        answer = self.get(path)
        if answer.status != 200:
            sys.exit(f"{path}: {answer.status} {answer.read()[:500]!r}")
        answer.read()

    def until_shown(self, stream: HTTPResponse, words: str) -> None:
        """Wait until the live part of the page has these words."""
        if not any(words.encode() in line for line in iter(stream.readline, b"")):
            sys.exit(f"The stream ended before it showed {words}.")


@contextmanager
def visiting(home: Home) -> Iterator[Visitor]:
    """Start the page's process and come by its link."""
    try:
        yield Visitor(memo("ui", "--print").strip())
    finally:
        end(home)


def visit(home: Home, site: str) -> None:
    """Write a line into the inbox: the person visits a site now."""
    line = write(Event(Reading.now().at, Operation.WEB_VISIT, site), "en")
    with (home.inbox / "bench.txt").open("a") as inbox:
        inbox.write(f"{line}\n")


def lives(home: Home, visitor: Visitor) -> list[float]:
    """Return how long events take until the page shows them, without the first, for which the worker reads the past."""
    stream, times = visitor.get("/stream"), []
    for number in range(ROUNDS + 1):
        visit(home, site := f"{number}.example")
        times.append(seconds(partial(visitor.until_shown, stream, site)))
        time.sleep(1)  # to the next second, as a line has no smaller unit
    return times[1:]


def main() -> None:
    """Print the table."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER
    report = Report(f"The page, with {number:,} events")
    with new_home() as home:
        with store(home) as opened:
            fill(opened, Settings.load().scope, number)
        with up(), visiting(home) as visitor:
            for path in (*VIEWS, *QUESTIONS):
                goal = "≤ 1 s" if path == "/" else ""
                report.add(f"first request of `{path}`", f"{seconds(partial(visitor.view, path)):.2f} s", goal)
            times = lives(home, visitor)
            report.add(f"from a line in the inbox to the page, median of {ROUNDS}", f"{median(times):.2f} s", "≤ 1 s")
            report.add(f"the longest of these {ROUNDS}", f"{max(times):.2f} s")
    report.show()


if __name__ == "__main__":
    main()
