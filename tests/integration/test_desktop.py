"""D-Bus calls as GNOME's extension and KDE's script make them, on a real session bus."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from session_bus import Bus, Call
from waiting import WAIT_S, until
from watched import focused_windows, watched
from xserver import Desktop

from collector.sources.wayland.desktop import DesktopSource
from memo.core.grammar import MAX_TEXT
from memo.core.paths import Home
from memo.core.settings import Settings, SourceSettings
from memo.protocols import Batch, Stop

HOSTILE = ["evil\x1b]2;x\x07", "a\nb\r\u0085c", "'; DROP TABLE events; --", "%s%n{}", "新" * 1_000_000]


def window(key: str, app_id: str, title: str, pid: str = "0") -> Call:
    """The call that both scripts make."""
    return "FocusWindow", "ssss", [key, app_id, title, pid]


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bus]:
    """A session bus; no app is installed."""
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    made = Bus()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", made.address)
    yield made
    made.end()


def make(home: Home, **timings: float) -> DesktopSource:
    return DesktopSource(Settings(sources=SourceSettings(on=["desktop"])), home, **timings)


@pytest.fixture
def source(home: Home) -> DesktopSource:
    return make(home)


def test_each_call_is_reported_once_in_order(bus: Bus, source: DesktopSource) -> None:
    wanted = []
    assert source.missing() == ""
    with watched(source) as events:
        for number in range(20):
            bus.call(window(str(number % 2), "org.example.app.desktop", f"Title {number}", str(os.getpid())))
            wanted.append(("org.example.app", f"Title {number}"))
            until("the event", lambda: len(focused_windows(events)) == len(wanted))
    assert focused_windows(events) == wanted
    assert events[0].executable == os.readlink("/proc/self/exe")


def test_window_told_when_memo_comes_stood_before(bus: Bus, home: Home) -> None:
    stood, stop = list[bool](), Stop()

    def emit(emitted: object) -> None:
        if isinstance(emitted, Batch) and focused_windows(list(emitted.events)):
            stood.append(emitted.stood)

    running = threading.Thread(target=make(home, stands_s=WAIT_S).run, args=(emit, lambda key: None, stop))
    running.start()
    try:
        until("MEMO on the bus", lambda: bus.send("Focus", "string:one", "string:First", "uint32:0"))
        until("the window", lambda: stood == [True])
        assert bus.send("Focus", "string:two", "string:Second", "uint32:0")
        until("the next one", lambda: stood == [True, False])
    finally:
        stop.set()
        running.join()


def test_stop_ends_the_wait_for_the_first_call(bus: Bus, home: Home) -> None:
    stop, source = Stop(), make(home, stands_s=10 * WAIT_S)
    running = threading.Thread(target=source.run, args=(lambda emitted: None, lambda key: None, stop), daemon=True)
    running.start()
    stop.set()
    until("the end", lambda: not running.is_alive())


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[socket.socket]:
    """A session bus that takes callers and never answers."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path / 'bus'}")
    with closing(socket.socket(socket.AF_UNIX)) as made:
        made.bind(str(tmp_path / "bus"))
        made.listen()
        made.settimeout(WAIT_S)
        yield made


def test_stop_ends_the_wait_for_a_bus_that_hangs(hanging: socket.socket, home: Home) -> None:
    stop, ended, source = Stop(), threading.Event(), make(home, answer_s=10 * WAIT_S)

    def run() -> None:
        source.run(lambda emitted: None, lambda key: None, stop)
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    with hanging.accept()[0]:
        stop.set()
        assert ended.wait(WAIT_S), "ended without an error"


def test_bus_that_hangs_is_named(hanging: socket.socket, home: Home) -> None:
    with pytest.raises(ConnectionError, match="the session bus does not answer"):
        make(home, answer_s=0.1).run(lambda emitted: None, lambda key: None, Stop())


def test_any_program_may_call(bus: Bus, source: DesktopSource) -> None:
    with watched(source) as events:
        assert bus.send("Focus", "string:firefox", "string:Page", "uint32:0")
        until("the event", lambda: focused_windows(events) == [("firefox", "Page")])
        assert not bus.send("Focus", "string:app", "string:title", "string:1")
        assert not bus.send("Focus", "string:app")
        assert not bus.send("Other")
    assert focused_windows(events) == [("firefox", "Page")]


@pytest.mark.parametrize("title", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_cleaned(bus: Bus, source: DesktopSource, title: str) -> None:
    with watched(source) as events:
        bus.call(window("1", title, title, "9" * 40))
        until("the event", lambda: focused_windows(events))
        bus.call(window(title, "plain", "after", "-1"))
        until("the one after", lambda: len(focused_windows(events)) == 2)
    for app, target in focused_windows(events):
        assert len(target) <= MAX_TEXT
        assert (app + target).isprintable()


def test_call_without_window_means_no_focus(bus: Bus, source: DesktopSource) -> None:
    with watched(source) as events:
        bus.call(window("1", "app", "title"))
        until("the window", lambda: focused_windows(events))
        bus.call(window("", "", "", ""))
        bus.call(window("1", "app", "title"))
        bus.call(window("2", "app", "other"))
        until("the other one", lambda: len(focused_windows(events)) == 2)
    assert focused_windows(events) == [("app", "title"), ("app", "other")]


def test_flood_of_calls_gives_few_events_and_the_last(bus: Bus, source: DesktopSource) -> None:
    with watched(source) as events:
        bus.call(*(window(str(number), "app", f"Title {number}") for number in range(500)))
        until("the last one", lambda: focused_windows(events)[-1:] == [("app", "Title 499")])
    assert len(focused_windows(events)) < 250


def test_second_memo_on_the_bus_raises_runtime_error(bus: Bus, source: DesktopSource, home: Home) -> None:
    with watched(source), pytest.raises(RuntimeError, match="another MEMO"):
        DesktopSource(Settings(), home).run(lambda batch: None, lambda key: None, Stop())


def test_lost_bus_raises_connection_error(bus: Bus, source: DesktopSource) -> None:
    def end() -> None:
        source.watching.wait()
        bus.end()

    ending = threading.Thread(target=end)
    ending.start()
    with pytest.raises(ConnectionError):
        source.run(lambda batch: None, lambda key: None, Stop())
    ending.join()


def test_missing_without_bus_names_it(source: DesktopSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    assert "No session bus" in source.missing()


def test_missing_under_x11_leaves_it_to_x11(bus: Bus, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Desktop()
    monkeypatch.setenv("DISPLAY", shown.display)
    try:
        both = Settings(sources=SourceSettings(on=["desktop", "x11"]))
        assert "isn't needed" in DesktopSource(both, home).missing()
        alone = Settings(sources=SourceSettings(on=["desktop"]))
        assert DesktopSource(alone, home).missing() == ""
    finally:
        shown.end()
