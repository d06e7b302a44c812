"""Window focus under a real compositor, over sway's own socket and by the protocol for others."""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from compositor import USER, sway
from stores import make_store
from waiting import WAIT_S, until
from watched import focused_windows, running_source, used_apps, watched

from collector.collector import SourceRunner
from collector.focus.presence import PresenceSignal
from collector.focus.tracker import MIN_USAGE_S
from collector.intake import Intake
from collector.privacy.rules import Rules
from collector.source_status import SourceStates
from collector.sources.wayland import wayland
from collector.sources.wayland.sway import SwaySource
from collector.sources.wayland.wayland import watch_idle
from collector.sources.wayland.wlroots import WlrootsSource
from db.engine import Store, open_store
from db.intake.events import find_newest_events
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings, SourceSettings
from memo.protocols import Batch, Source, Stop

FOOT = "/usr/bin/foot"
IDLE_S = 2 * MIN_USAGE_S  # without input, in these tests
Make = Callable[..., Source]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of sway's user, whose apps are one and two."""
    made = Path(tempfile.mkdtemp(prefix="memo", dir="/tmp"))
    entries = made / "share" / "applications"
    entries.mkdir(parents=True)
    for name in ("one", "two"):
        (entries / f"org.example.{name}.desktop").write_text(
            f"[Desktop Entry]\nType=Application\nName={name}\nExec=/opt/{name}\nStartupWMClass={name}\n"
        )
    monkeypatch.setattr(os, "getuid", lambda: USER)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(made))
    monkeypatch.setenv("XDG_DATA_DIRS", str(made / "share"))
    for name in ("SWAYSOCK", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    yield made
    shutil.rmtree(made)


@pytest.fixture(params=["sway", "wlroots"])
def make(request: pytest.FixtureRequest, folder: Path, home: Home) -> Make:
    """Makes the source, once the compositor runs."""
    settings = Settings(sources=SourceSettings(on=[request.param]))
    return partial(SwaySource if request.param == "sway" else WlrootsSource, settings, home)


def test_each_focus_switch_is_seen_once_in_order(make: Make, folder: Path) -> None:
    one, two = ("org.example.one", "First"), ("org.example.two", "Second")
    with sway(folder) as running:
        running.open("one", "First")
        with watched(make()) as events:
            until("the window of before", lambda: focused_windows(events) == [one])
            running.open("two", "Second")
            wanted = [one, two]
            for name, seen in [("one", one), ("two", two)] * 10:
                until("the last switch", lambda: focused_windows(events) == wanted)
                running.say(f"[app_id={name}] focus")
                wanted.append(seen)
            until("all switches", lambda: len(focused_windows(events)) == len(wanted))
        assert focused_windows(events) == wanted


def test_only_a_stable_title_is_reported(make: Make, folder: Path) -> None:
    with sway(folder) as running:
        running.open("one", "First")
        with watched(make()) as events:
            until("the window", lambda: focused_windows(events))
            (running.folder / "one").write_text("Passing\nNew – 新\n")
            until("the title", lambda: len(focused_windows(events)) == 2)
    assert focused_windows(events) == [("org.example.one", "First"), ("org.example.one", "New – 新")]


@pytest.mark.parametrize("act", ["workspace 2", "move scratchpad", "move to workspace 2"])
def test_hidden_window_is_no_longer_used(make: Make, folder: Path, act: str) -> None:
    with sway(folder) as running:
        running.open("one", "First")
        with watched(make()) as events:
            until("the window", lambda: focused_windows(events))
            time.sleep(2 * MIN_USAGE_S)
            running.say(act)
            until("the usage", lambda: used_apps(events))
    assert used_apps(events) == ["org.example.one"]


def test_app_is_used_until_there_is_no_input(make: Make, folder: Path) -> None:
    def come_and_go() -> int:
        """Move the pointer for long enough, leave it alone until that is noticed, and return the number of usages."""
        for _ in range(10):
            running.say("seat seat0 cursor move 1 1")
            time.sleep(MIN_USAGE_S / 5)
        time.sleep(6.0)
        return len(used_apps(events))

    signals: list[PresenceSignal] = [partial(watch_idle, idle_s=5.0)]
    with sway(folder) as running:
        running.open("one", "First")
        with watched(make(signals=signals)) as events:
            until("the window", lambda: focused_windows(events))
            for turn in (1, 2):  # each again if a busy machine left so long between two moves that nobody was there
                until("that nobody is there", lambda turn=turn: come_and_go() >= turn)  # type: ignore[misc]
    assert set(used_apps(events)) == {"org.example.one"}


def test_killed_idle_probe_is_restarted(make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def run_probe(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        with real(module, *arguments) as child:
            probes.append(child)
            yield child

    probes, real = list[subprocess.Popen[bytes]](), wayland.run_probe
    monkeypatch.setattr(wayland, "run_probe", run_probe)
    signals: list[PresenceSignal] = [partial(watch_idle, idle_s=IDLE_S, back_off_s=(0.1, 0.1))]
    with sway(folder) as running:
        running.open("one", "First")
        with watched(make(signals=signals)) as events:
            until("the window", lambda: focused_windows(events))
            until("the probe", lambda: probes)
            probes[0].kill()
            until("another one", lambda: len(probes) == 2)
            for _ in range(3):
                running.say("seat seat0 cursor move 1 1")
                time.sleep(MIN_USAGE_S / 2)
            until("that nobody is there", lambda: used_apps(events))
    assert focused_windows(events) == [("org.example.one", "First")], "the focus is followed meanwhile"


def test_sway_window_has_its_executable(folder: Path, home: Home) -> None:
    with sway(folder) as running:
        pid = running.open("unknown", "First")
        assert os.path.samefile(f"/proc/{pid}/exe", FOOT)
        with watched(SwaySource(Settings(sources=SourceSettings(on=["sway"])), home)) as events:
            until("the window", lambda: focused_windows(events))
    assert (events[0].app, events[0].executable) == ("unknown", FOOT)


def test_compositor_that_crashed_is_followed_again(make: Make, folder: Path, home: Home) -> None:
    class FakeIntake:
        """Keeps the events in memory."""

        rules: ClassVar[Rules] = ()

        def store_batches(self, source: str, *batches: Batch) -> None:
            events.extend(event for batch in batches for event in batch.events)

        def cursor(self, source: str, key: str) -> None:
            return None

    def state() -> dict[str, Any]:
        said: dict[str, dict[str, Any]] = json.loads(home.sources.read_text()) if home.sources.exists() else {}
        return said.get(source.name, {"state": ""})

    events: list[Event] = []
    stop, source, states = Stop(), make(), SourceStates(home)
    runner = SourceRunner(cast(Any, FakeIntake()), states, stop, (0.1, 0.5))
    watching = threading.Thread(target=runner.keep_running, args=(source,))
    watching.start()
    try:
        until("nothing is there", lambda: state()["state"] == "missing")
        with sway(folder) as running:
            running.open("one", "First")
            until("the first window", lambda: focused_windows(events))
            running.kill()
            until("that it is missing", lambda: state()["state"] == "missing")
        with sway(folder) as running:
            running.open("two", "Second")
            until("the second window", lambda: len(focused_windows(events)) == 2)
            assert (state()["state"], state()["failures"]) == ("watching", 1)
    finally:
        stop.set()
        watching.join()
    assert focused_windows(events) == [("org.example.one", "First"), ("org.example.two", "Second")]


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    make_store(Settings(), home)
    with closing(open_store(Settings(), home)) as opened:
        yield opened


def titles(store: Store) -> list[str]:
    """The stored focuses."""
    with store.read() as session:
        return [title for _, title in focused_windows(list(find_newest_events(session, Settings().scope)))]


@contextmanager
def recording(source: Source, store: Store, home: Home) -> Iterator[list[Event]]:
    """Run a source with an intake of its own, as a start does; gives all that it tells."""
    intake, told = Intake(store, Settings(), home, lambda scope: None), list[Event]()

    def emit(emitted: Any) -> None:
        if isinstance(emitted, Batch):
            intake.store_batches(source.name, emitted)
            told.extend(emitted.events)

    with running_source(source, emit, partial(intake.cursor, source.name)):
        yield told


def has_one_window(told: list[Event]) -> bool:
    return len(focused_windows(told)) == 1


def test_window_that_stood_before_a_start_is_no_switch(make: Make, folder: Path, home: Home, store: Store) -> None:
    with sway(folder) as running:
        running.open("one", "First")
        with recording(make(), store, home) as told:
            until("the window of before", partial(has_one_window, told))
            assert titles(store) == []
            running.open("two", "Second")
            until("the next one", lambda: titles(store) == ["Second"])
            running.say("[app_id=two] kill")
            until("the first again", lambda: titles(store) == ["Second", "First"])
        for _ in range(2):
            with recording(make(), store, home) as told:
                until("the window of before", partial(has_one_window, told))
        assert titles(store) == ["Second", "First"]
        running.say("[app_id=one] kill")
        with recording(make(), store, home):
            running.open("three", "Third")
            until("a window on an empty screen", lambda: titles(store) == ["Second", "First", "Third"])


def test_first_window_on_an_empty_screen_is_a_switch(make: Make, folder: Path, home: Home, store: Store) -> None:
    with sway(folder) as running, recording(make(), store, home):
        running.open("one", "First")
        until("the window", lambda: titles(store) == ["First"])


def test_only_one_of_both_sources_runs_under_sway(folder: Path, home: Home) -> None:
    both = Settings(sources=SourceSettings(on=["sway", "wlroots"]))
    assert "No Wayland compositor" in WlrootsSource(both, home).missing()
    with sway(folder):
        assert SwaySource(both, home).missing() == ""
        assert "isn't needed" in WlrootsSource(both, home).missing()


def test_stop_ends_the_start_under_a_hung_compositor(make: Make, folder: Path) -> None:
    stop, source = Stop(), make(stands_s=10 * WAIT_S)
    running = threading.Thread(target=source.run, args=(lambda emitted: None, lambda key: None, stop), daemon=True)
    with socket.socket(socket.AF_UNIX) as server, ExitStack() as connections:
        server.bind(str(folder / "socket"))
        server.listen()
        os.chown(folder / "socket", USER, -1)
        for name in ("wayland-7", f"sway-ipc.{USER}.1.sock"):
            os.link(folder / "socket", folder / name)
        running.start()
        while not connections.enter_context(server.accept()[0]).recv(1):
            pass  # a check whether anybody answers
        stop.set()
        until("the end", lambda: not running.is_alive())


def test_unsupported_compositor_is_asked_once(folder: Path, home: Home) -> None:
    def serve() -> None:
        """Offer nothing, and only answer the question whether everything has been offered, until shut down."""
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection:
                    if not (asked := connection.recv(1024)):
                        continue  # a check whether anybody answers
                    callback = struct.unpack_from("=I", asked, len(asked) - 4)[0]
                    connection.sendall(struct.pack("=III", callback, 12 << 16, 0))
                    connection.recv(1024)

    source = WlrootsSource(Settings(sources=SourceSettings(on=["wlroots"])), home)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "wayland-7"))
        server.listen()
        os.chown(folder / "wayland-7", USER, -1)
        serving = threading.Thread(target=serve)
        serving.start()
        assert source.missing() == ""
        with pytest.raises(ConnectionError):
            source.run(lambda batch: None, lambda key: None, Stop())
        assert "does not list its windows" in source.missing()
        server.shutdown(socket.SHUT_RDWR)
        serving.join()


def test_probe_that_outlives_its_output_is_killed() -> None:
    with subprocess.Popen(["sh", "-c", "exec sleep 1000 >&-"]) as child:
        assert wayland.exit_status(child, end_s=0.01) == -signal.SIGKILL
