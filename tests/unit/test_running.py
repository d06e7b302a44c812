"""One start and one end of an app, whatever its processes do. Times are seconds on one clock."""

from collections.abc import Sequence

from collector.launch.proc import Process
from collector.sources.processes.app_lifetimes import Act, AppLifetimes


def process(pid: int, began: float, executable: str = "/usr/bin/app") -> Process:
    return Process(pid, began, executable, ())


def told(acts: Sequence[Act]) -> list[tuple[float, str, str]]:
    return [(act.at, act.operation.removeprefix("process_"), act.app) for act in acts]


def test_the_first_process_starts_an_app_and_the_last_one_ends_it() -> None:
    running = AppLifetimes(since=0)
    assert told(running.joined("app", [process(2, 11), process(1, 10)])) == [(10, "start", "app")]
    assert told(running.joined("app", [process(3, 12)])) == []
    running.left(1, 20)
    running.left(3, 21)
    assert running.ended(before=100) == []
    running.left(2, 22)
    assert running.ended(before=22) == [], "another one may have been started by it"
    assert told(running.ended(before=23)) == [(22, "end", "app")]
    assert running.ended(before=100) == [], "once"


def test_what_ran_before_gives_no_start_and_still_an_end() -> None:
    running = AppLifetimes(since=50)
    assert running.joined("app", [process(1, 10)]) == []
    assert running.joined("app", [process(2, 60)]) == [], "a helper of an app that ran before"
    running.left(1, 70)
    running.left(2, 71)
    assert told(running.ended(before=80)) == [(71, "end", "app")]


def test_a_process_that_takes_over_keeps_the_app_running() -> None:
    running = AppLifetimes(since=0)
    running.joined("app", [process(1, 10)])
    running.left(1, 20)
    assert running.joined("app", [process(2, 19.5)]) == []
    assert running.ended(before=100) == []


def test_an_app_that_is_closed_and_soon_started_again_gives_both() -> None:
    running = AppLifetimes(since=0)
    running.joined("app", [process(1, 10)])
    running.left(1, 20)
    assert told(running.joined("app", [process(2, 20.5)])) == [(20, "end", "app"), (20.5, "start", "app")]


def test_apps_do_not_mix() -> None:
    running = AppLifetimes(since=0)
    running.joined("one", [process(1, 10)])
    running.joined("two", [process(2, 10)])
    running.left(1, 20)
    assert told(running.ended(before=30)) == [(20, "end", "one")]
    assert set(running.pids) == {2}


def test_the_executable_is_the_program_not_the_shell_that_runs_its_script() -> None:
    running = AppLifetimes(since=0)
    (start,) = running.joined("app", [process(1, 10, "/usr/bin/dash"), process(2, 11, "/usr/lib/app/app")])
    assert (start.at, start.executable) == (10, "/usr/lib/app/app")
