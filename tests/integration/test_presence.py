"""Presence signals: a fake logind on a real bus, and a fake compositor on a socket."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from session_bus import Bus
from structlog.testing import capture_logs
from waiting import WAIT_S

from collector.focus.presence import (
    IDLE_S,
    LOGIND,
    MANAGER,
    PROPERTIES,
    SESSION,
    suspend_drift,
    wall_clock_drift,
    watch_logind,
)
from collector.sources.wayland import wayland
from collector.sources.wayland.wayland import watch_idle

ROOT, USER, OURS, OTHER = (f"/org/freedesktop/login1{path}" for path in ("", "/user/_7", "/session/_3", "/session/_4"))


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    """A bus that stands in for the system bus."""
    made = Bus()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", made.address)
    yield made
    made.end()


class Logind:
    """A logind with one user and one graphical session; if `silent`, it never answers."""

    def __init__(self, connection: MessageBus, session: str = OURS, idle: bool = False, silent: bool = False) -> None:
        self.connection, self._session, self._idle, self._silent = connection, session, idle, silent
        connection.add_message_handler(self._answer)

    def _answer(self, asked: Message) -> Message | bool | None:
        if asked.message_type is not MessageType.METHOD_CALL:
            return None
        if self._silent:
            return True
        if asked.member == "GetUser":
            return Message.new_method_return(asked, "o", [USER])
        if asked.member == "Get":
            session = "3" if self._session != "/" else ""
            return Message.new_method_return(asked, "v", [Variant("(so)", [session, self._session])])
        if asked.member == "GetAll":
            properties = {
                "IdleHint": Variant("b", self._idle),
                "LockedHint": Variant("b", False),
                "Id": Variant("s", "3"),
            }
            return Message.new_method_return(asked, "a{sv}", [properties])
        return None

    async def change(self, session: str, **values: bool) -> None:
        """Announce changed properties of a session."""
        changed = {name: Variant("b", value) for name, value in values.items()}
        await self.connection.send(
            Message.new_signal(session, PROPERTIES, "PropertiesChanged", "sa{sv}as", [SESSION, changed, []])
        )

    async def sleep(self, begins: bool) -> None:
        """Announce that the machine is about to be suspended, or has resumed."""
        await self.connection.send(Message.new_signal(ROOT, MANAGER, "PrepareForSleep", "b", [begins]))


@asynccontextmanager
async def serving(bus: Bus, session: str = OURS, idle: bool = False, silent: bool = False) -> AsyncIterator[Logind]:
    connection = await MessageBus(bus.address).connect()
    await connection.request_name(LOGIND)
    try:
        yield Logind(connection, session, idle, silent)
    finally:
        connection.disconnect()


class Reports:
    """The presence reported so far."""

    def __init__(self) -> None:
        self.reported: list[tuple[str, bool]] = []
        self._new = asyncio.Event()

    def __call__(self, reason: str, away: bool, for_s: float = 0.0) -> None:
        self.reported.append((reason, away))
        self._new.set()

    async def until(self, *expected: tuple[str, bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while self.reported[-len(expected) :] != list(expected):
                await self._new.wait()
                self._new.clear()


def test_logind_reports_session_properties_and_sleep(bus: Bus) -> None:
    async def script() -> list[tuple[str, bool]]:
        reports = Reports()
        async with serving(bus, idle=True) as service, watch_logind(reports):
            assert reports.reported == [("idle hint", True), ("locked", False)]
            await service.change(OURS, IdleHint=False)
            await service.change(OTHER, LockedHint=True)
            await service.change(OURS, LockedHint=True)
            await service.sleep(True)
            await service.sleep(False)
            await reports.until(("idle hint", False), ("locked", True), ("asleep", True), ("asleep", False))
            return reports.reported

    assert len(asyncio.run(script())) == 6, "another session is ignored"


@pytest.mark.parametrize("given", ["no session", "silent", "no logind", "no bus", "nonsense"])
def test_logind_unavailable_reports_nothing(
    bus: Bus, given: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if given in ("no bus", "nonsense"):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none" if given == "no bus" else "nonsense")

    async def script() -> list[tuple[str, bool]]:
        reports = Reports()
        if given in ("no session", "silent"):
            session = "/" if given == "no session" else OURS
            async with serving(bus, session, silent=given == "silent"), watch_logind(reports, answer_timeout_s=0.2):
                return reports.reported
        async with watch_logind(reports):
            return reports.reported

    assert asyncio.run(script()) == []


def test_logind_lost_bus_ends_the_reports_without_error(bus: Bus) -> None:
    async def script() -> list[tuple[str, bool]]:
        reports = Reports()
        async with serving(bus) as service, watch_logind(reports):
            bus.daemon.kill()
            bus.daemon.wait()
            disconnect = service.connection.wait_for_disconnect()  # type: ignore[no-untyped-call]
            await asyncio.wait([asyncio.ensure_future(disconnect)])
        return reports.reported

    assert asyncio.run(script()) == [("idle hint", False), ("locked", False)]


REGISTRY = 2  # object ids that the library assigns first
CALLBACK = 3


def _event(number: int, which: int, *values: int | str) -> bytes:
    """An event on the wire. Source: The Wayland Protocol, chapter 4."""
    body = b""
    for value in values:
        text = value.encode() + b"\0" if isinstance(value, str) else b""
        body += struct.pack(f"=I{(len(text) + 3) // 4 * 4}s", len(text), text) if text else struct.pack("=I", value)
    return struct.pack("=II", number, (8 + len(body)) << 16 | which) + body


ALL = ("wl_seat", "org_kde_kwin_idle", "ext_idle_notifier_v1")


def _compositor(server: socket.socket, offered: Sequence[str], asked: list[int]) -> None:
    """Reports to each client, by ext-idle-notify-v1, idle, resumed and idle again; then closes the connection."""
    with suppress(OSError):  # until it is shut down
        while True:
            connection, _ = server.accept()
            with connection:
                if not connection.recv(1024):
                    continue  # a check whether anybody answers
                for name, interface in enumerate(offered, 1):
                    connection.sendall(_event(REGISTRY, 0, name, interface, 1))
                connection.sendall(_event(CALLBACK, 0, 0))
                if not (bound := connection.recv(1024)):
                    asked.append(0)
                    continue
                notice, after_ms, _ = struct.unpack("=III", bound[-12:])
                asked.append(after_ms)
                connection.sendall(_event(notice, 0) + _event(notice, 1) + _event(notice, 0))


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[Sequence[str]], list[int]]]:
    """Starts a compositor that offers these interfaces; returns the timeouts that it is asked for."""

    def start(offered: Sequence[str]) -> list[int]:
        asked: list[int] = []
        threads.append(threading.Thread(target=_compositor, args=(server, offered, asked)))
        threads[0].start()
        return asked

    threads: list[threading.Thread] = []
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-7")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "wayland-7"))
        server.listen()
        yield start
        server.shutdown(socket.SHUT_RDWR)
        threads[0].join()


GONE = (("idle", True), ("idle", False), ("idle", True), ("idle", False))
"""The reports for a compositor that closes; the last one is that the person is back, as no other would follow."""


def test_idle_ended_probe_is_restarted(serve: Callable[[Sequence[str]], list[int]]) -> None:
    async def script() -> list[tuple[str, bool]]:
        reports = Reports()
        async with watch_idle(reports, back_off_s=(0.05, 0.1)):
            await reports.until(*GONE, *GONE, *GONE)
        reported = len(reports.reported)
        await asyncio.sleep(0.2)
        assert len(reports.reported) == reported, "the probe runs on after the end"
        return reports.reported

    asked = serve(ALL)
    with capture_logs() as logged:
        assert len(asyncio.run(script())) == 3 * len(GONE)
    assert asked[:3] == [IDLE_S * 1000] * 3
    again = [one["reason"] for one in logged if one["event"] == "idle_probe_failed"]
    assert len(again) >= 2 and "has ended with status" in again[0]


def test_idle_unsupported_compositor_is_asked_once(serve: Callable[[Sequence[str]], list[int]]) -> None:
    async def script() -> None:
        reports = Reports()
        async with watch_idle(reports, back_off_s=(0.0, 0.0)):
            await reports.until(("idle", False))
            await asyncio.sleep(0.5)

    asked = serve(["wl_seat"])
    with capture_logs() as logged:
        asyncio.run(script())
    assert (asked, logged) == ([0], [])


@pytest.mark.parametrize("lacks", ["compositor", "library"])
def test_idle_without_compositor_or_library_reports_nothing(
    lacks: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def script() -> list[tuple[str, bool]]:
        reports = Reports()
        async with watch_idle(reports):
            return reports.reported

    if lacks == "library":
        monkeypatch.setattr(wayland, "find_compositor", lambda: tmp_path)
        monkeypatch.setattr(wayland, "has_pywayland", lambda: False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert asyncio.run(script()) == []


def test_suspend_drift_measures_a_suspend(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {time.CLOCK_BOOTTIME: 100.0, time.CLOCK_MONOTONIC: 100.0}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    drift = suspend_drift()
    clocks[time.CLOCK_BOOTTIME] += 3.0
    clocks[time.CLOCK_MONOTONIC] += 3.0
    assert drift.seconds() == 0.0
    clocks[time.CLOCK_BOOTTIME] += 600.0
    assert drift.seconds() == 600.0
    assert drift.seconds() == 0.0


@pytest.mark.parametrize("by", [3600.0, -86_400.0])
def test_wall_clock_drift_measures_a_clock_change(monkeypatch: pytest.MonkeyPatch, by: float) -> None:
    clocks = {time.CLOCK_REALTIME: 1e9, time.CLOCK_BOOTTIME: 100.0}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    drift = wall_clock_drift()
    for name in clocks:
        clocks[name] += 600.0
    assert drift.seconds() == 0.0
    clocks[time.CLOCK_REALTIME] += by
    assert drift.seconds() == by
    assert drift.seconds() == 0.0
