"""Lifetimes: one start and one end of an app, whatever its processes do. Times are seconds on one clock."""

from collections.abc import Sequence

from collector.launch.proc import Process
from collector.sources.processes.app_lifetimes import AppLifetimes, StartOrEnd


def process(pid: int, began: float, executable: str = "/usr/bin/app") -> Process:
    return Process(pid, began, executable, ())


def summary(changes: Sequence[StartOrEnd]) -> list[tuple[float, str, str]]:
    return [(change.at, change.operation.removeprefix("process_"), change.app) for change in changes]


def test_lifetime_spans_first_to_last_process() -> None:
    lifetimes = AppLifetimes(since=0)
    assert summary(lifetimes.add("app", [process(2, 11), process(1, 10)])) == [(10, "start", "app")]
    assert summary(lifetimes.add("app", [process(3, 12)])) == []
    lifetimes.remove(1, 20)
    lifetimes.remove(3, 21)
    assert lifetimes.pop_ended(before=100) == []
    lifetimes.remove(2, 22)
    assert lifetimes.pop_ended(before=22) == [], "it may have started a successor"
    assert summary(lifetimes.pop_ended(before=23)) == [(22, "end", "app")]
    assert lifetimes.pop_ended(before=100) == [], "once"


def test_lifetime_begun_before_has_an_end_but_no_start() -> None:
    lifetimes = AppLifetimes(since=50)
    assert lifetimes.add("app", [process(1, 10)]) == []
    assert lifetimes.add("app", [process(2, 60)]) == [], "a helper of an app that ran before"
    lifetimes.remove(1, 70)
    lifetimes.remove(2, 71)
    assert summary(lifetimes.pop_ended(before=80)) == [(71, "end", "app")]


def test_lifetime_continues_with_a_successor() -> None:
    lifetimes = AppLifetimes(since=0)
    lifetimes.add("app", [process(1, 10)])
    lifetimes.remove(1, 20)
    assert lifetimes.add("app", [process(2, 19.5)]) == []
    assert lifetimes.pop_ended(before=100) == []


def test_lifetime_of_restarted_app_ends_and_starts() -> None:
    lifetimes = AppLifetimes(since=0)
    lifetimes.add("app", [process(1, 10)])
    lifetimes.remove(1, 20)
    assert summary(lifetimes.add("app", [process(2, 20.5)])) == [(20, "end", "app"), (20.5, "start", "app")]


def test_lifetimes_of_two_apps_are_separate() -> None:
    lifetimes = AppLifetimes(since=0)
    lifetimes.add("one", [process(1, 10)])
    lifetimes.add("two", [process(2, 10)])
    lifetimes.remove(1, 20)
    assert summary(lifetimes.pop_ended(before=30)) == [(20, "end", "one")]
    assert set(lifetimes.pids) == {2}


def test_lifetime_has_the_programs_executable_not_the_shells() -> None:
    lifetimes = AppLifetimes(since=0)
    (start,) = lifetimes.add("app", [process(1, 10, "/usr/bin/dash"), process(2, 11, "/usr/lib/app/app")])
    assert (start.at, start.executable) == (10, "/usr/lib/app/app")
