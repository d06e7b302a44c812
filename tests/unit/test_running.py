"""The lifetimes of apps: one start and one end, whatever their processes do. Times are seconds on one clock."""

from collections.abc import Sequence

from collector.launch.proc import Process
from collector.sources.processes.app_lifetimes import Act, AppLifetimes


def process(pid: int, began: float, executable: str = "/usr/bin/app") -> Process:
    return Process(pid, began, executable, ())


def summary(acts: Sequence[Act]) -> list[tuple[float, str, str]]:
    return [(act.at, act.operation.removeprefix("process_"), act.app) for act in acts]


def test_lifetimes_span_the_first_to_the_last_process() -> None:
    running = AppLifetimes(since=0)
    assert summary(running.joined("app", [process(2, 11), process(1, 10)])) == [(10, "start", "app")]
    assert summary(running.joined("app", [process(3, 12)])) == []
    running.left(1, 20)
    running.left(3, 21)
    assert running.ended(before=100) == []
    running.left(2, 22)
    assert running.ended(before=22) == [], "another one may have been started by it"
    assert summary(running.ended(before=23)) == [(22, "end", "app")]
    assert running.ended(before=100) == [], "once"


def test_lifetimes_of_an_earlier_app_have_only_an_end() -> None:
    running = AppLifetimes(since=50)
    assert running.joined("app", [process(1, 10)]) == []
    assert running.joined("app", [process(2, 60)]) == [], "a helper of an app that ran before"
    running.left(1, 70)
    running.left(2, 71)
    assert summary(running.ended(before=80)) == [(71, "end", "app")]


def test_lifetimes_go_on_with_a_process_that_takes_over() -> None:
    running = AppLifetimes(since=0)
    running.joined("app", [process(1, 10)])
    running.left(1, 20)
    assert running.joined("app", [process(2, 19.5)]) == []
    assert running.ended(before=100) == []


def test_lifetimes_of_a_restarted_app_are_two() -> None:
    running = AppLifetimes(since=0)
    running.joined("app", [process(1, 10)])
    running.left(1, 20)
    assert summary(running.joined("app", [process(2, 20.5)])) == [(20, "end", "app"), (20.5, "start", "app")]


def test_lifetimes_of_apps_are_separate() -> None:
    running = AppLifetimes(since=0)
    running.joined("one", [process(1, 10)])
    running.joined("two", [process(2, 10)])
    running.left(1, 20)
    assert summary(running.ended(before=30)) == [(20, "end", "one")]
    assert set(running.pids) == {2}


def test_lifetimes_name_the_program_and_not_its_shell() -> None:
    running = AppLifetimes(since=0)
    (start,) = running.joined("app", [process(1, 10, "/usr/bin/dash"), process(2, 11, "/usr/lib/app/app")])
    assert (start.at, start.executable) == (10, "/usr/lib/app/app")
