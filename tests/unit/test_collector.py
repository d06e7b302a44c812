"""Sources that fail or end are restarted after a growing delay, and their states are recorded."""

import json
import os
import select
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from conftest import logging_restored
from structlog.testing import capture_logs

from cli.stack import doctor
from cli.stack.sources import doing
from collector import plugins
from collector.collector import SourceRunner, silence_libraries
from collector.intake import Intake
from collector.source_list import list_sources as listed
from collector.source_status import EVERY, SourceState, SourceStates
from db.engine import open_store
from memo.core import logs
from memo.core.errors import MemoError
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Note, Past, Stop
from memo.stack import running
from memo.stack.backoff import BACK_OFF_S

FIRST, LONGEST = BACK_OFF_S
LASTS = 1000.0


class Clock(Stop):
    """Simulated time that passes only in runs and delays; also the flag that stops after the last run."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        self.now += timeout
        return self.is_set()


class Source:
    """Runs for the given times, then ends or fails."""

    name = "scripted"

    def __init__(self, clock: Clock, runs: list[float], fails: bool, error: BaseException | None = None) -> None:
        self.watching = threading.Event()
        self.lacks: list[str] = []
        self._clock, self._runs, self._fails = clock, runs, fails
        self._error = error or ConnectionError("away")

    def missing(self) -> str:
        return self.lacks.pop(0) if self.lacks else ""

    def run(
        self,
        emit: Callable[[Batch], None],
        cursor: Callable[[str], dict[str, Any] | None],
        stop: Stop,
    ) -> None:
        self._clock.now += self._runs.pop(0)
        if not self._runs:
            stop.set()
        if self._fails:
            raise self._error


@pytest.mark.parametrize("fails", [True, False], ids=["fails", "ends"])
def test_delay_grows_and_resets_after_a_long_run(fails: bool, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    store = open_store(Settings(), home)
    intake = Intake(store, Settings(), home, lambda scope: None)
    SourceRunner(intake, SourceStates(home), clock).keep_running(Source(clock, [0.0] * 8 + [LASTS, 0.0, 0.0], fails))
    growing = [min(FIRST * 2**times, LONGEST) for times in range(8)]
    assert clock.pauses[:-1] == [*growing, FIRST, 2 * FIRST]
    store.close()


class Waiting(Source):
    """Records its state while it runs."""

    home: Home
    said: list[dict[str, Any]]

    def run(
        self,
        emit: Callable[[Batch], None],
        cursor: Callable[[str], dict[str, Any] | None],
        stop: Stop,
    ) -> None:
        self.said.append(json.loads(self.home.sources.read_text())["scripted"])
        super().run(emit, cursor, stop)


def test_each_state_of_a_source_is_recorded(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, store = Clock(), open_store(Settings(), home)
    source = Waiting(clock, [0.0, 0.0], fails=True)
    source.home, source.said, source.lacks = home, [], ["no screen; start one"]
    states = SourceStates(home)
    heard: list[Any] = []
    put = states.set_state

    def listen(*given: Any) -> None:
        heard.append(given)
        put(*given)

    monkeypatch.setattr(states, "set_state", listen)
    SourceRunner(Intake(store, Settings(), home, lambda scope: None), states, clock).keep_running(source)
    store.close()
    assert [state for _, state, *_ in heard] == ["missing", "watching", "failed", "watching"]
    assert heard[0][2] == "no screen; start one" and heard[2][2] == "ConnectionError: away"
    assert [said["failures"] for said in source.said] == [0, 1]


def test_stop_wakes_select() -> None:
    stop = Stop()
    assert select.select([stop], [], [], 0) == ([], [], [])
    stop.set()
    stop.set()
    assert select.select([stop], [], [], 0) == ([stop], [], [])


def test_source_that_raises_system_exit_is_restarted(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, store, states = Clock(), open_store(Settings(), home), SourceStates(home)
    recorded: list[Any] = []
    monkeypatch.setattr(states, "set_state", lambda *given: recorded.append(given))
    source = Source(clock, [0.0, 0.0], fails=True, error=SystemExit("bye"))
    SourceRunner(Intake(store, Settings(), home, lambda scope: None), states, clock).keep_running(source)
    store.close()
    assert recorded[1] == ("scripted", SourceState.FAILED, "SystemExit: bye")


def test_unusable_source_gives_its_reason(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        name: EntryPoint(name, value, plugins.GROUP) for name, value in (("gone", "no_such:A"), ("raw", "os:stat"))
    }
    monkeypatch.setattr(plugins, "entry_points", lambda group, name=None: [points[name]] if name in points else [])
    monkeypatch.setenv("MEMO_SOURCES__ON", json.dumps(["gone", "raw", "inbix"]))
    says = {one["name"]: (one["state"], one["says"]) for one in listed(home, Settings.load())}
    assert {state for state, _ in says.values()} == {"missing"}
    assert says["gone"][1] == (
        "Its package no_such cannot be loaded (ModuleNotFoundError: No module named 'no_such'); repair or uninstall it."
    )
    assert "TypeError" in says["raw"][1]
    assert says["inbix"][1] == "No source of this name is installed; correct it in sources.on of memo.toml."


def test_note_is_shown_until_it_is_withdrawn(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    class Noting(Source):
        def run(self, emit: Callable[[Any], None], cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
            for says in ("the limit is reached; raise it", ""):
                emit(Note(says))
                seen.append(json.loads(home.sources.read_text())["scripted"])
                monkeypatch.setattr(running, "sources", lambda home: {"scripted": seen[-1], "x": {"state": "missing"}})
                wrong.append(_examined(home))
            stop.set()

    seen: list[dict[str, Any]] = []
    wrong: list[str] = []
    clock, store, states = Clock(), open_store(Settings(), home), SourceStates(home)
    with capture_logs() as logged:
        intake = Intake(store, Settings(), home, lambda scope: None)
        SourceRunner(intake, states, clock).keep_running(Noting(clock, [], False))
    store.close()
    assert [(one["state"], one["says"]) for one in seen] == [
        ("watching", "the limit is reached; raise it"),
        ("watching", ""),
    ]
    assert wrong == ["The source scripted: the limit is reached; raise it", "scripted watching"]
    reasons = [(one["event"], one.get("reason")) for one in logged if one["event"] != "source_ended"]
    assert reasons == [("source_impaired", "the limit is reached; raise it"), ("source_recovered", None)]


def _examined(home: Home) -> str:
    """The line of `memo doctor` about the sources."""
    try:
        return doctor.CHECKS["sources"](home, Settings())
    except MemoError as error:
        return str(error)


def test_progress_of_a_long_past_is_recorded(home: Home) -> None:
    def recorded() -> Any:
        return json.loads(home.sources.read_text())["scripted"]

    states, event = SourceStates(home), Event(datetime.now(UTC), Operation.PROCESS_START, "vim")
    states.set_state("scripted", SourceState.WATCHING)
    before = recorded()
    assert list(states.with_progress("scripted", [event] * EVERY, lambda: None)) == [event] * EVERY
    assert recorded() == before, "a short past needs no progress"
    reads = [recorded() for _ in states.with_progress("scripted", [event] * (2 * EVERY + 1), lambda: None)]
    places = [one["reading"] for one in reads]
    assert places == [{"done": number // EVERY * EVERY, "total": 2 * EVERY + 1} for number in range(2 * EVERY + 1)]
    assert doing(reads[-1]) == "importing the past, 2,000 of 2,001"
    assert doing(reads[0] | {"says": "a folder is full"}) == "importing the past, 0 of 2,001; a folder is full"
    assert recorded() == before


class Torn(list[Event]):
    """A past that cannot be read to its end."""

    def __iter__(self) -> Iterator[Event]:
        yield self[0]
        raise OSError("torn")


@pytest.mark.parametrize("past", [Torn, list], ids=["read", "stored"])
def test_interrupted_past_has_no_progress(past: type[list[Event]], home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    class SkippingSource(Source):
        """Continues without a past that could not be read or stored, as the source web does."""

        def run(self, emit: Callable[[Any], None], cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
            with pytest.raises(OSError, match="torn") as error:
                emit(Past(past([event] * (2 * EVERY)), "key", {}))
            seen.append(json.loads(home.sources.read_text())["scripted"])
            del error  # till here it holds what was read
            stop.set()

    def store_past(source: str, given: Past) -> None:
        for _ in given.events:
            reading.append(json.loads(home.sources.read_text())["scripted"].get("reading"))
            if past is list:
                raise OSError("torn")

    seen: list[Any] = []
    reading: list[Any] = []
    event = Event(datetime.now(UTC), Operation.PROCESS_START, "vim")
    clock, store, states = Clock(), open_store(Settings(), home), SourceStates(home)
    intake = Intake(store, Settings(), home, lambda scope: None)
    monkeypatch.setattr(intake, "store_past", store_past)
    SourceRunner(intake, states, clock).keep_running(SkippingSource(clock, [], False))
    store.close()
    assert reading == [{"done": 0, "total": 2 * EVERY}]
    assert seen == [{"state": "watching", "says": "", "failures": 0}]


def test_full_disk_ends_no_source(home: Home) -> None:
    states = SourceStates(home)
    home.run.rmdir()
    states.set_state("scripted", SourceState.FAILED, "no room")
    home.run.mkdir()
    states.set_state("scripted", SourceState.WATCHING)
    assert json.loads(home.sources.read_text())["scripted"]["failures"] == 1


def test_states_of_a_dead_collector_are_ignored(home: Home) -> None:
    def state(collector: str) -> None:
        part = {"name": "collector", "state": collector, "pid": 1}
        home.state.write_text(json.dumps({"pid": os.getpid(), "parts": [part]}))

    SourceStates(home).set_state("scripted", SourceState.WATCHING)
    (home.run / "collector.ready").touch()
    with running.hold(home):
        state("running")
        assert running.sources(home)["scripted"]["state"] == "watching"
        state("failed")
        assert running.sources(home) == {}
    SourceStates(home)
    assert not home.sources.exists()


def test_silence_libraries_hides_warnings_and_tracebacks(
    home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = "/home/ada/divorce.txt"

    def fail() -> None:
        warnings.warn(words, RuntimeWarning, stacklevel=1)
        raise PermissionError(words)

    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # put back afterwards
    with warnings.catch_warnings(), logging_restored():
        logs.setup(home.logs, "collector")
        silence_libraries()
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    said = (home.logs / "collector.log").read_text() + "".join(capfd.readouterr())
    assert "PermissionError" in said and words not in said
