"""Synthetic people with habits, and the event streams of their days: seeded, and no real person's data.

    python -m data.synthetic.people --seed 7 --days 2 --language zh > two-days.txt
    python -m data.synthetic.people --sample > data/sample/day.txt

Habits differ widely between people, so that a model trained on many of them learns to read a person's habits from
the stream instead of memorizing one person's.
"""

import argparse
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from data.synthetic import words
from data.synthetic.words import Tool
from memo.core.events import Event, Operation
from memo.core.grammar import Language, write

SESSION_GAP = timedelta(minutes=5)

SAMPLE_SEED = 72
SAMPLE_LANGUAGE: Language = "en"
SAMPLE_START = datetime(2026, 11, 2, tzinfo=UTC)
SAMPLE_DAYS = 12  # the last one is the shipped day; those before it train the shipped adapter


class Person:
    """A synthetic person with habits; `stream` returns the events of their days.

    All is drawn by the seed, the language too if none is given. What has no unit is a probability.
    """

    def __init__(self, seed: int, language: Language | None = None) -> None:
        rng = random.Random(f"person {seed}")
        drawn: Language = rng.choice(("zh", "en"))
        self.seed, self.language = seed, language or drawn
        tools, common = words.TOOLS[rng.choice(sorted(words.TOOLS))], words.COMMON_TOOLS[self.language]
        own = [*tools, *rng.sample(common, rng.randint(1, 3))]
        rng.shuffle(own)
        self.begin_hour = rng.uniform(6.5, 11)
        self.work_hours = rng.uniform(4, 11)
        self.weekends = rng.choice((0.05, 0.3, 0.9))
        self.browser = rng.choice(words.BROWSERS[self.language])
        self.tools = tuple(own[: rng.randint(2, len(own))])
        self.chat = rng.choice(common[:3])
        self.sites = tuple(rng.sample(sorted(words.SITES[self.language]), rng.randint(3, 12)))
        self.updaters = tuple(rng.sample(words.UPDATERS, rng.randint(1, 4)))
        self._draw_habits(rng)

    def _draw_habits(self, rng: random.Random) -> None:
        # Most people are near one end of a habit: a browser starts a process for nearly every page, or hardly ever.
        often = partial(rng.betavariate, 0.7, 0.7)
        self.spawn = often()  # a page starts a browser process
        self.reap = often()  # a page ends a browser process
        self.burst = rng.uniform(0, 0.75)  # a start or end is followed by another one in the same second
        self.visit = often()  # a page is also reported as a web visit
        self.visit_first = rng.random() < 0.5  # the visit is reported before the window's focus
        self.counter = rng.choice((0.0, 0.0, 1.0))  # the browser's title counts its tabs
        self.revisit = rng.uniform(0.1, 0.7)  # a page seen before is opened again
        self.usage = often() * 0.8  # an app's usage is reported when its window loses focus
        self.alternate = rng.uniform(0.4, 0.9)  # going back and forth between two windows continues
        self.chatter = rng.uniform(0, 0.3)  # work is interrupted by a look at the chat
        self.helpers = often() * 0.7  # a tool starts and ends helper processes
        self.updates = rng.uniform(0, 0.9)  # updater bursts per task
        self.pages = rng.uniform(1.5, 7)  # mean number of pages in a row
        self.pace_s = rng.lognormvariate(2.2, 0.7)  # median seconds at one window
        self.length = rng.uniform(4, 14)  # tasks in an hour


@dataclass
class _Life:
    """The state of a person's days: the clock, the open windows, the known pages."""

    person: Person
    now: datetime
    rng: random.Random
    events: list[Event] = field(default_factory=list)
    known: dict[str, list[str]] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    focus: tuple[str, str] = ("", "")
    since: datetime | None = None
    tabs: int = 3

    def emit(self, operation: Operation, target: str = "", app: str = "", detail: str = "") -> None:
        self.events.append(Event(self.now.replace(microsecond=0), operation, target, app, detail))

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def count(self, mean: float) -> int:
        """Return a random count of at least 1, geometric with the given mean."""
        count = 1
        while count < 30 and self.chance(1 - 1 / max(mean, 1.01)):
            count += 1
        return count

    def wait(self, median_s: float) -> None:
        self.now += timedelta(seconds=self.rng.lognormvariate(0, 0.9) * median_s)

    def flicker(self) -> None:
        """Advance the clock by the moment between two reports of one action."""
        self.now += timedelta(seconds=self.rng.choice((0, 0, 0, 0.3, 1, 2)))

    # titles, pages and files

    def phrase(self) -> str:
        language = self.person.language
        noun, other = self.rng.sample(words.NOUNS[language], 2)
        adjective = self.rng.choice(words.ADJECTIVES[language])
        fields = {"a": adjective, "A": adjective.capitalize(), "n": noun, "N": noun.capitalize(), "m": other}
        return self.rng.choice(words.PHRASES[language]).format(i=self.rng.randint(2, 4000), **fields)

    def again_or_new(self, key: str, make: Callable[[], str], again: float) -> str:
        """Return something known under `key`, most likely the latest, or something new."""
        known = self.known.setdefault(key, [])
        seen = bool(known) and self.chance(again)
        known.append(known.pop(max(0, len(known) - self.count(3))) if seen else make())
        return known[-1]

    def page(self, site: str) -> str:
        home, revisit = words.SITES[self.person.language][site], self.person.revisit
        return self.again_or_new(site, lambda: self.rng.choice((home, f"{self.phrase()} - {home}")), revisit)

    def title(self, tool: Tool) -> str:
        language = self.person.language
        name, file = self.rng.choice(words.NAMES[language]), self.file_name(tool)
        topic, make = self.phrase(), tool.title.format
        return self.again_or_new(
            tool.exe,
            lambda: make(file=file, project=self.project(file), topic=topic, name=name),
            max(0.5, self.person.revisit),
        )

    def project(self, name: str) -> str:
        """Return the folder of a file, always the same."""
        projects = words.PROJECTS[self.person.language]
        return projects[(sum(map(ord, name)) + self.person.seed) % len(projects)]

    def file_name(self, tool: Tool) -> str:
        noun = self.rng.choice(words.NOUNS[self.person.language]).replace(" ", "_")
        number = self.rng.choice(("", "", "_2", "-final", f"-{self.rng.randint(1, 40)}"))
        return f"{noun}{number}.{self.rng.choice(tool.endings or ('txt',))}"

    # actions

    def burst(self, operation: Operation, exe: str, probability: float) -> None:
        """Start or end an executable, possibly several times in a second."""
        while self.chance(probability):
            self.emit(operation, exe)
            probability = self.person.burst
            if self.chance(0.15):
                self.flicker()

    def switch(self, title: str, app: str) -> None:
        if self.focus == (title, app):
            return
        left, self.focus = self.focus[1], (title, app)
        self.emit(Operation.WINDOW_FOCUS, title, app)
        if left and left != app and self.since and self.chance(self.person.usage):
            self.flicker()
            self.emit(Operation.APP_USAGE, left, detail=str(max(1, int((self.now - self.since).total_seconds()))))
        if left != app:
            self.since = self.now

    def open(self, tool: Tool) -> None:
        if tool.exe in self.running:
            return
        self.running.add(tool.exe)
        self.emit(Operation.PROCESS_START, tool.exe)
        for helper in tool.helpers:
            self.burst(Operation.PROCESS_START, helper, self.person.helpers)
        self.wait(1.5)

    def close(self, tool: Tool) -> None:
        if tool.exe in self.running:
            self.running.discard(tool.exe)
            for exe in (*tool.helpers, tool.exe):
                self.burst(Operation.PROCESS_END, exe, self.person.helpers if exe != tool.exe else 1.0)
            self.wait(2)

    def look_at(self, tool: Tool) -> None:
        self.open(tool)
        self.switch(self.title(tool), tool.exe)
        self.wait(self.person.pace_s)

    def read_page(self, site: str) -> None:
        person, browser = self.person, self.person.browser
        page = self.page(site)
        self.tabs = min(60, max(2, self.tabs + self.rng.choice((-1, 0, 0, 0, 0, 1, 1))))
        self.burst(Operation.PROCESS_START, browser.exe, person.spawn)
        visited = self.chance(person.visit)
        if visited and person.visit_first:
            self.emit(Operation.WEB_VISIT, site, detail=page)
        title = browser.counted if self.chance(person.counter) else browser.title
        self.switch(title.format(page=page, n=self.tabs), browser.exe)
        if visited and not person.visit_first:
            self.flicker()
            self.emit(Operation.WEB_VISIT, site, detail=page)
        self.wait(person.pace_s)
        self.burst(Operation.PROCESS_END, browser.exe, person.reap)

    def browse(self) -> None:
        site = self.person.sites[min(self.count(3), len(self.person.sites)) - 1]
        for _ in range(self.count(self.person.pages)):
            self.read_page(site)

    def alternate(self) -> None:
        """Switch back and forth between two tools."""
        tool, other = self.rng.sample(self.person.tools, 2)
        title, second = self.title(tool), self.title(other)
        self.open(tool)
        self.open(other)
        while True:
            self.switch(title, tool.exe)
            self.wait(self.person.pace_s)
            self.switch(second, other.exe)
            self.wait(self.person.pace_s)
            if not self.chance(self.person.alternate):
                return

    def edit(self) -> None:
        """Open a file, focus its window, and start and end helper processes."""
        tool = self.rng.choice([tool for tool in self.person.tools if tool.endings] or self.person.tools)
        name = self.again_or_new(f"{tool.exe} files", lambda: self.file_name(tool), max(0.5, self.person.revisit))
        project = self.project(name)
        self.open(tool)
        if tool.endings:
            self.emit(Operation.FILE_ACCESS, name, detail=f"D:\\work\\{project}")
            self.flicker()
        self.switch(tool.title.format(file=name, project=project, topic=name, name=name), tool.exe)
        for _ in range(self.count(3)):
            self.wait(self.person.pace_s)
            for helper in tool.helpers:
                self.burst(Operation.PROCESS_START, helper, self.person.helpers)
                self.flicker()
                self.burst(Operation.PROCESS_END, helper, self.person.helpers)

    def chat(self) -> None:
        before, tool = self.focus, self.person.chat
        self.look_at(tool)
        if before[0] and self.chance(0.7):
            self.switch(*before)
            self.wait(self.person.pace_s)

    def update(self) -> None:
        """Start and end background processes, unnoticed by the person."""
        group = self.rng.choice(self.person.updaters)
        for _ in range(self.count(1.4)):
            for exe in group:
                self.emit(Operation.PROCESS_START, exe)
            self.flicker()
            for exe in reversed(group):
                self.emit(Operation.PROCESS_END, exe)
            self.wait(3)

    # a day

    def task(self) -> None:
        kinds = (self.browse, self.alternate, self.edit, self.look_around)
        weights = random.Random(f"weights {self.person.seed}").choices((1, 2, 4, 8), k=4)
        self.rng.choices(kinds, weights)[0]()
        if self.chance(self.person.chatter):
            self.chat()
        if self.chance(self.person.updates):
            self.update()

    def look_around(self) -> None:
        for _ in range(self.count(2)):
            tool = self.rng.choice(self.person.tools)
            self.look_at(tool)
            if self.chance(0.15):
                self.close(tool)

    def session(self) -> None:
        self.emit(Operation.SESSION_START)
        self.emit(Operation.TIME_CONTEXT, str(self.now.isoweekday()), detail=str(self.now.hour))
        for _ in range(self.count(6)):
            self.task()
            self.wait(1200 / self.person.length / 10)

    def day(self, midnight: datetime) -> None:
        if midnight.isoweekday() > 5 and not self.chance(self.person.weekends):
            return
        begin = midnight + timedelta(hours=self.person.begin_hour + self.rng.gauss(0, 0.4))
        end = begin + timedelta(hours=self.person.work_hours * self.rng.uniform(0.8, 1.1))
        self.now, self.focus, self.since = max(self.now, begin), ("", ""), None
        while self.now < end:
            self.session()
            self.now += SESSION_GAP
            self.wait(3600 / self.person.length * 2)
        for tool in self.person.tools:
            self.close(tool)
        self.running.clear()


def stream(who: Person, days: int, start: datetime) -> list[Event]:
    """Return the events of `days` days from the midnight `start` on, in order of time; `start` carries its offset."""
    life = _Life(who, start, random.Random(f"life {who.seed} {start.isoformat()}"))
    for day in range(days):
        life.day(start + timedelta(days=day))
    return life.events


def sample() -> tuple[list[Event], list[Event]]:
    """Return the events of the sample person's earlier days, and those of the shipped day."""
    events = stream(Person(SAMPLE_SEED, SAMPLE_LANGUAGE), SAMPLE_DAYS, SAMPLE_START)
    last = events[-1].at.date()
    return [event for event in events if event.at.date() < last], [event for event in events if event.at.date() == last]


def main() -> None:
    """Print a person's days as event lines."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--language", choices=("zh", "en"), default="en")
    parser.add_argument("--sample", action="store_true", help="print the shipped sample day")
    given = parser.parse_args()
    who = Person(given.seed, given.language)
    for event in sample()[1] if given.sample else stream(who, given.days, SAMPLE_START):
        print(write(event, SAMPLE_LANGUAGE if given.sample else given.language))


if __name__ == "__main__":
    main()
