"""The focus under a real compositor, by sway's own socket and by the protocol for others."""

import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
from compositor import USER, sway
from watched import until, watched

from collector import collector
from collector.focus.usage import SHORTEST_S
from collector.privacy.rules import Rules
from collector.source_status import SourceStates
from collector.sources.wayland import wayland
from collector.sources.wayland.sway import SwaySource
from collector.sources.wayland.wlroots import WlrootsSource
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings, SourceSettings
from memo.protocols import Batch, Source, Stop

FOOT = "/usr/bin/foot"
IDLE_S = 2 * SHORTEST_S
"""Without a touch for so long nobody is there, in these tests."""
Make = Callable[[], Source]


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
    return lambda: SwaySource(settings, home) if request.param == "sway" else WlrootsSource(settings, home)


def _focus(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.app, event.target) for event in events if event.operation is Operation.WINDOW_FOCUS]


def test_each_switch_is_seen_once_in_order(make: Make, folder: Path) -> None:
    one, two = ("org.example.one", "First"), ("org.example.two", "Second")
    with sway(folder) as running:
        running.open("one", "First")
        with watched(make()) as events:
            until("the window of before", lambda: _focus(events) == [one])
            running.open("two", "Second")
            wanted = [one, two]
            for name, seen in [("one", one), ("two", two)] * 10:
                until("the last switch", lambda: _focus(events) == wanted)
                running.say(f"[app_id={name}] focus")
                wanted.append(seen)
            until("all switches", lambda: len(_focus(events)) == len(wanted))
        assert _focus(events) == wanted


def test_a_title_that_stands_is_told(make: Make, folder: Path) -> None:
    with sway(folder) as running:
        running.open("one", "First")
        with watched(make()) as events:
            until("the window", lambda: _focus(events))
            (running.folder / "one").write_text("Passing\nNew – 新\n")
            until("the title", lambda: len(_focus(events)) == 2)
    assert _focus(events) == [("org.example.one", "First"), ("org.example.one", "New – 新")]


@pytest.mark.parametrize("act", ["workspace 2", "move scratchpad", "move to workspace 2"])
def test_a_window_out_of_sight_is_used_no_longer(make: Make, folder: Path, act: str) -> None:
    def used() -> list[str]:
        return [event.target for event in events if event.operation is Operation.APP_USAGE]

    with sway(folder) as running:
        running.open("one", "First")
        with watched(make()) as events:
            until("the window", lambda: _focus(events))
            time.sleep(2 * SHORTEST_S)
            running.say(act)
            until("the usage", used)
    assert used() == ["org.example.one"]


def test_an_app_is_used_until_nobody_touches_anything(
    make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def used() -> list[str]:
        return [event.target for event in events if event.operation is Operation.APP_USAGE]

    monkeypatch.setattr(wayland, "IDLE_S", IDLE_S)
    with sway(folder) as running:
        running.open("one", "First")
        with watched(make()) as events:
            until("the window", lambda: _focus(events))
            for turn in (1, 2):
                for _ in range(3):
                    running.say("seat seat0 cursor move 1 1")
                    time.sleep(SHORTEST_S / 2)
                until("that nobody is there", lambda turn=turn: len(used()) >= turn)  # type: ignore[misc]
    assert set(used()) == {"org.example.one"}


def test_whether_somebody_is_there_is_asked_again_where_who_asks_was_killed(
    make: Make, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def used() -> list[str]:
        return [event.target for event in events if event.operation is Operation.APP_USAGE]

    @contextmanager
    def speaking(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        with real(module, *arguments) as child:
            asking.append(child)
            yield child

    asking, real = list[subprocess.Popen[bytes]](), wayland.speaking
    monkeypatch.setattr(wayland, "speaking", speaking)
    monkeypatch.setattr(wayland, "IDLE_S", IDLE_S)
    monkeypatch.setattr(wayland, "BACK_OFF_S", (0.1, 0.1))
    with sway(folder) as running:
        running.open("one", "First")
        with watched(make()) as events:
            until("the window", lambda: _focus(events))
            until("who asks", lambda: asking)
            asking[0].kill()
            until("another one", lambda: len(asking) == 2)
            for _ in range(3):
                running.say("seat seat0 cursor move 1 1")
                time.sleep(SHORTEST_S / 2)
            until("that nobody is there", used)
    assert _focus(events) == [("org.example.one", "First")], "the focus was followed meanwhile"


def test_sway_tells_the_process_of_a_window(folder: Path, home: Home) -> None:
    with sway(folder) as running:
        pid = running.open("unknown", "First")
        assert os.path.samefile(f"/proc/{pid}/exe", FOOT)
        with watched(SwaySource(Settings(), home)) as events:
            until("the window", lambda: _focus(events))
    assert (events[0].app, events[0].executable) == ("unknown", FOOT)


def test_a_compositor_that_crashed_and_is_back(
    make: Make, folder: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kept:
        """Instead of a store."""

        rules: ClassVar[Rules] = ()

        def take(self, source: str, batch: Batch) -> None:
            events.extend(batch.events)

        def cursor(self, source: str, key: str) -> None:
            return None

    def state() -> dict[str, Any]:
        said: dict[str, dict[str, Any]] = json.loads(home.sources.read_text()) if home.sources.exists() else {}
        return said.get(source.name, {"state": ""})

    monkeypatch.setattr(collector, "BACK_OFF_S", (0.1, 0.5))
    events: list[Event] = []
    stop, source, states = Stop(), make(), SourceStates(home)
    watching = threading.Thread(target=collector.keep_running, args=(source, Kept(), states, stop))
    watching.start()
    try:
        until("nothing is there", lambda: state()["state"] == "missing")
        with sway(folder) as running:
            running.open("one", "First")
            until("the first window", lambda: _focus(events))
            running.kill()
            until("that it is gone", lambda: state()["state"] == "missing")
        with sway(folder) as running:
            running.open("two", "Second")
            until("the second window", lambda: len(_focus(events)) == 2)
            assert (state()["state"], state()["failures"]) == ("watching", 1)
    finally:
        stop.set()
        watching.join()
    assert _focus(events) == [("org.example.one", "First"), ("org.example.two", "Second")]


def test_only_one_of_the_two_runs_under_sway(folder: Path, home: Home) -> None:
    both = Settings(sources=SourceSettings(on=["sway", "wlroots"]))
    assert "No Wayland compositor" in WlrootsSource(both, home).missing()
    with sway(folder):
        assert SwaySource(both, home).missing() == ""
        assert "isn't needed" in WlrootsSource(both, home).missing()


def test_a_compositor_that_tells_nobody_is_asked_once(folder: Path, home: Home) -> None:
    def serve() -> None:
        """Offer nothing to anybody, until it is shut down: answer what asks whether all has been offered."""
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection:
                    if not (asked := connection.recv(1024)):
                        continue  # it only looked whether somebody answers
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
        assert "tells nobody of its windows" in source.missing()
        server.shutdown(socket.SHUT_RDWR)
        serving.join()
