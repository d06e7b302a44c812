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

from data.synthetic.words import (
    ADJECTIVES,
    BROWSERS,
    COMMON_TOOLS,
    NAMES,
    NOUNS,
    PHRASES,
    PROJECTS,
    SITES,
    TOOLS,
    UPDATERS,
    Browser,
    Tool,
)
from memo.core.events import Event, Operation
from memo.core.grammar import Language, write

SESSION_GAP = timedelta(minutes=5)

SAMPLE_SEED = 72
SAMPLE_LANGUAGE: Language = "en"
SAMPLE_START = datetime(2026, 11, 2, tzinfo=UTC)
SAMPLE_DAYS = 12  # the last one is the shipped day; those before it train the shipped adapter


@dataclass(frozen=True, slots=True)
class Habits:
    """How a person works; probabilities unless another unit is given."""

    spawn: float  # a page starts a browser process
    reap: float  # a page ends a browser process
    burst: float  # a start or end is followed by another one in the same second
    visit: float  # a page is also reported as a web visit
    visit_first: bool  # the visit is reported before the window's focus
    counter: float  # the browser's title counts its tabs
    revisit: float  # a page seen before is opened again
    usage: float  # an app's usage is reported when its window loses focus
    alternate: float  # going back and forth between two windows continues
    chatter: float  # work is interrupted by a look at the chat
    helpers: float  # a tool starts and ends helper processes
    updates: float  # updater bursts per task
    pages: float  # mean number of pages in a row
    pace_s: float  # median seconds at one window
    length: float  # tasks in an hour


@dataclass(frozen=True, slots=True)
class Person:
    """A synthetic person; `stream` returns the events of their days."""

    seed: int
    language: Language
    job: str
    begin_hour: float
    work_hours: float
    weekends: float
    browser: Browser
    tools: tuple[Tool, ...]
    chat: Tool
    sites: tuple[str, ...]
    updaters: tuple[tuple[str, ...], ...]
    habits: Habits


def person(seed: int, language: Language | None = None) -> Person:
    """Return the person of a seed; without `language` the seed chooses that too."""
    rng = random.Random(f"person {seed}")
    drawn: Language = rng.choice(("zh", "en"))
    spoken = language or drawn
    job = rng.choice(sorted(TOOLS))
    own = [*TOOLS[job], *rng.sample(COMMON_TOOLS[spoken], rng.randint(1, 3))]
    rng.shuffle(own)
    return Person(
        seed=seed,
        language=spoken,
        job=job,
        begin_hour=rng.uniform(6.5, 11),
        work_hours=rng.uniform(4, 11),
        weekends=rng.choice((0.05, 0.3, 0.9)),
        browser=rng.choice(BROWSERS[spoken]),
        tools=tuple(own[: rng.randint(2, len(own))]),
        chat=rng.choice(COMMON_TOOLS[spoken][:3]),
        sites=tuple(rng.sample(sorted(SITES[spoken]), rng.randint(3, 12))),
        updaters=tuple(rng.sample(UPDATERS, rng.randint(1, 4))),
        habits=_habits(rng),
    )


def _habits(rng: random.Random) -> Habits:
    # Most people are near one end of a habit: a browser starts a process for nearly every page, or hardly ever.
    def often() -> float:
        return rng.betavariate(0.7, 0.7)

    return Habits(
        spawn=often(),
        reap=often(),
        burst=rng.uniform(0, 0.75),
        visit=often(),
        visit_first=rng.random() < 0.5,
        counter=rng.choice((0.0, 0.0, 1.0)),
        revisit=rng.uniform(0.1, 0.7),
        usage=often() * 0.8,
        alternate=rng.uniform(0.4, 0.9),
        chatter=rng.uniform(0, 0.3),
        helpers=often() * 0.7,
        updates=rng.uniform(0, 0.9),
        pages=rng.uniform(1.5, 7),
        pace_s=rng.lognormvariate(2.2, 0.7),
        length=rng.uniform(4, 14),
    )


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
        noun, other = self.rng.sample(NOUNS[language], 2)
        adjective = self.rng.choice(ADJECTIVES[language])
        fields = {"a": adjective, "A": adjective.capitalize(), "n": noun, "N": noun.capitalize(), "m": other}
        return self.rng.choice(PHRASES[language]).format(i=self.rng.randint(2, 4000), **fields)

    def again_or_new(self, key: str, make: Callable[[], str], again: float) -> str:
        """Return something known under `key`, most likely the latest, or something new."""
        known = self.known.setdefault(key, [])
        seen = bool(known) and self.chance(again)
        known.append(known.pop(max(0, len(known) - self.count(3))) if seen else make())
        return known[-1]

    def page(self, site: str) -> str:
        home = SITES[self.person.language][site]
        return self.again_or_new(site, lambda: self.rng.choice((home, f"{self.phrase()} - {home}")), self.revisit)

    @property
    def revisit(self) -> float:
        return self.person.habits.revisit

    def title(self, tool: Tool) -> str:
        language = self.person.language
        name, file = self.rng.choice(NAMES[language]), self.file_name(tool)
        topic, make = self.phrase(), tool.title.format
        return self.again_or_new(
            tool.exe,
            lambda: make(file=file, project=self.project(file), topic=topic, name=name),
            max(0.5, self.revisit),
        )

    def project(self, name: str) -> str:
        """Return the folder of a file, always the same."""
        projects = PROJECTS[self.person.language]
        return projects[(sum(map(ord, name)) + self.person.seed) % len(projects)]

    def file_name(self, tool: Tool) -> str:
        noun = self.rng.choice(NOUNS[self.person.language]).replace(" ", "_")
        number = self.rng.choice(("", "", "_2", "-final", f"-{self.rng.randint(1, 40)}"))
        return f"{noun}{number}.{self.rng.choice(tool.endings or ('txt',))}"

    # actions

    def burst(self, operation: Operation, exe: str, probability: float) -> None:
        """Start or end an executable, possibly several times in a second."""
        while self.chance(probability):
            self.emit(operation, exe)
            probability = self.person.habits.burst
            if self.chance(0.15):
                self.flicker()

    def switch(self, title: str, app: str) -> None:
        if self.focus == (title, app):
            return
        left, self.focus = self.focus[1], (title, app)
        self.emit(Operation.WINDOW_FOCUS, title, app)
        if left and left != app and self.since and self.chance(self.person.habits.usage):
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
            self.burst(Operation.PROCESS_START, helper, self.person.habits.helpers)
        self.wait(1.5)

    def close(self, tool: Tool) -> None:
        if tool.exe in self.running:
            self.running.discard(tool.exe)
            for exe in (*tool.helpers, tool.exe):
                self.burst(Operation.PROCESS_END, exe, self.person.habits.helpers if exe != tool.exe else 1.0)
            self.wait(2)

    def look_at(self, tool: Tool) -> None:
        self.open(tool)
        self.switch(self.title(tool), tool.exe)
        self.wait(self.person.habits.pace_s)

    def read_page(self, site: str) -> None:
        habits, browser = self.person.habits, self.person.browser
        page = self.page(site)
        self.tabs = min(60, max(2, self.tabs + self.rng.choice((-1, 0, 0, 0, 0, 1, 1))))
        self.burst(Operation.PROCESS_START, browser.exe, habits.spawn)
        visited = self.chance(habits.visit)
        if visited and habits.visit_first:
            self.emit(Operation.WEB_VISIT, site, detail=page)
        title = browser.counted if self.chance(habits.counter) else browser.title
        self.switch(title.format(page=page, n=self.tabs), browser.exe)
        if visited and not habits.visit_first:
            self.flicker()
            self.emit(Operation.WEB_VISIT, site, detail=page)
        self.wait(habits.pace_s)
        self.burst(Operation.PROCESS_END, browser.exe, habits.reap)

    def browse(self) -> None:
        site = self.person.sites[min(self.count(3), len(self.person.sites)) - 1]
        for _ in range(self.count(self.person.habits.pages)):
            self.read_page(site)

    def alternate(self) -> None:
        """Switch back and forth between two tools."""
        tool, other = self.rng.sample(self.person.tools, 2)
        title, second = self.title(tool), self.title(other)
        self.open(tool)
        self.open(other)
        while True:
            self.switch(title, tool.exe)
            self.wait(self.person.habits.pace_s)
            self.switch(second, other.exe)
            self.wait(self.person.habits.pace_s)
            if not self.chance(self.person.habits.alternate):
                return

    def edit(self) -> None:
        """Open a file, focus its window, and start and end helper processes."""
        tool = self.rng.choice([tool for tool in self.person.tools if tool.endings] or self.person.tools)
        name = self.again_or_new(f"{tool.exe} files", lambda: self.file_name(tool), max(0.5, self.revisit))
        project = self.project(name)
        self.open(tool)
        if tool.endings:
            self.emit(Operation.FILE_ACCESS, name, detail=f"D:\\work\\{project}")
            self.flicker()
        self.switch(tool.title.format(file=name, project=project, topic=name, name=name), tool.exe)
        for _ in range(self.count(3)):
            self.wait(self.person.habits.pace_s)
            for helper in tool.helpers:
                self.burst(Operation.PROCESS_START, helper, self.person.habits.helpers)
                self.flicker()
                self.burst(Operation.PROCESS_END, helper, self.person.habits.helpers)

    def chat(self) -> None:
        before, tool = self.focus, self.person.chat
        self.look_at(tool)
        if before[0] and self.chance(0.7):
            self.switch(*before)
            self.wait(self.person.habits.pace_s)

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
        self.rng.choices(kinds, weights=self.weights)[0]()
        if self.chance(self.person.habits.chatter):
            self.chat()
        if self.chance(self.person.habits.updates):
            self.update()

    @property
    def weights(self) -> list[int]:
        return random.Random(f"weights {self.person.seed}").choices((1, 2, 4, 8), k=4)

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
            self.wait(1200 / self.person.habits.length / 10)

    def day(self, midnight: datetime) -> None:
        if midnight.isoweekday() > 5 and not self.chance(self.person.weekends):
            return
        begin = midnight + timedelta(hours=self.person.begin_hour + self.rng.gauss(0, 0.4))
        end = begin + timedelta(hours=self.person.work_hours * self.rng.uniform(0.8, 1.1))
        self.now, self.focus, self.since = max(self.now, begin), ("", ""), None
        while self.now < end:
            self.session()
            self.now += SESSION_GAP
            self.wait(3600 / self.person.habits.length * 2)
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
    events = stream(person(SAMPLE_SEED, SAMPLE_LANGUAGE), SAMPLE_DAYS, SAMPLE_START)
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
    who = person(given.seed, given.language)
    for event in sample()[1] if given.sample else stream(who, given.days, SAMPLE_START):
        print(write(event, SAMPLE_LANGUAGE if given.sample else given.language))


if __name__ == "__main__":
    main()
