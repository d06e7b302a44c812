"""Whether somebody is there: stand-ins for logind on a real bus, and for a compositor on a socket."""

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

from collector.focus import presence
from collector.focus.presence import IDLE_S, LOGIND, MANAGER, PROPERTIES, SESSION, clock_set, logind, slept
from collector.sources.wayland import wayland

ROOT, USER, OURS, OTHER = (f"/org/freedesktop/login1{path}" for path in ("", "/user/_7", "/session/_3", "/session/_4"))
WAIT_S = 60.0


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    """A bus that is the system's."""
    made = Bus()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", made.address)
    yield made
    made.end()


class Logind:
    """Has one user with one graphical session; `silent` answers nothing."""

    def __init__(self, connection: MessageBus, session: str = OURS, idle: bool = False, silent: bool = False) -> None:
        self._connection, self._session, self._idle, self._silent = connection, session, idle, silent
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
            marks = {"IdleHint": Variant("b", self._idle), "LockedHint": Variant("b", False), "Id": Variant("s", "3")}
            return Message.new_method_return(asked, "a{sv}", [marks])
        return None

    async def change(self, session: str, **values: bool) -> None:
        """Tell that properties of a session have changed."""
        changed = {name: Variant("b", value) for name, value in values.items()}
        await self._connection.send(
            Message.new_signal(session, PROPERTIES, "PropertiesChanged", "sa{sv}as", [SESSION, changed, []])
        )

    async def sleep(self, begins: bool) -> None:
        """Tell that the machine is about to be suspended, or was."""
        await self._connection.send(Message.new_signal(ROOT, MANAGER, "PrepareForSleep", "b", [begins]))


@asynccontextmanager
async def serving(bus: Bus, session: str = OURS, idle: bool = False, silent: bool = False) -> AsyncIterator[Logind]:
    connection = await MessageBus(bus.address).connect()
    await connection.request_name(LOGIND)
    try:
        yield Logind(connection, session, idle, silent)
    finally:
        connection.disconnect()


class Marks:
    """What was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []
        self._new = asyncio.Event()

    def __call__(self, reason: str, away: bool, for_s: float = 0.0) -> None:
        self.told.append((reason, away))
        self._new.set()

    async def until(self, *wanted: tuple[str, bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while self.told[-len(wanted) :] != list(wanted):
                await self._new.wait()
                self._new.clear()


def test_marks_of_the_session_and_sleep_are_told(bus: Bus) -> None:
    async def script() -> list[tuple[str, bool]]:
        marks = Marks()
        async with serving(bus, idle=True) as service, logind(marks):
            assert marks.told == [("idle hint", True), ("locked", False)]
            await service.change(OURS, IdleHint=False)
            await service.change(OTHER, LockedHint=True)
            await service.change(OURS, LockedHint=True)
            await service.sleep(True)
            await service.sleep(False)
            await marks.until(("idle hint", False), ("locked", True), ("asleep", True), ("asleep", False))
            return marks.told

    assert len(asyncio.run(script())) == 6, "nothing of the session of somebody else"


@pytest.mark.parametrize("given", ["no session", "silent", "no logind", "no bus", "nonsense"])
def test_without_it_nothing_is_told(bus: Bus, given: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(presence, "ANSWER_S", 0.2)
    if given in ("no bus", "nonsense"):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none" if given == "no bus" else "nonsense")

    async def script() -> list[tuple[str, bool]]:
        marks = Marks()
        if given in ("no session", "silent"):
            async with serving(bus, "/" if given == "no session" else OURS, silent=given == "silent"), logind(marks):
                return marks.told
        async with logind(marks):
            return marks.told

    assert asyncio.run(script()) == []


def test_a_bus_that_goes_is_survived(bus: Bus) -> None:
    async def script() -> None:
        marks = Marks()
        async with serving(bus), logind(marks):
            bus.daemon.kill()
            bus.daemon.wait()
            await asyncio.sleep(0.1)

    asyncio.run(script())


REGISTRY, CALLBACK = 2, 3
"""Numbers that the library gives what it asks for first."""


def _event(number: int, which: int, *values: int | str) -> bytes:
    """As Wayland writes it; source: The Wayland Protocol, chapter 4."""
    body = b""
    for value in values:
        text = value.encode() + b"\0" if isinstance(value, str) else b""
        body += struct.pack(f"=I{(len(text) + 3) // 4 * 4}s", len(text), text) if text else struct.pack("=I", value)
    return struct.pack("=II", number, (8 + len(body)) << 16 | which) + body


ALL = ("wl_seat", "org_kde_kwin_idle", "ext_idle_notifier_v1")


def _compositor(server: socket.socket, offered: Sequence[str], asked: list[int]) -> None:
    """Tells each who asks, by ext-idle-notify-v1, that nobody is there, somebody, and nobody again; then closes."""
    with suppress(OSError):  # until it is shut down
        while True:
            connection, _ = server.accept()
            with connection:
                if not connection.recv(1024):
                    continue  # it only looked whether somebody answers
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
    """Starts a compositor that offers so much; what it is asked."""

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
"""What is told by a compositor that closes; that somebody is there is the last word, for nobody would say it later."""


def test_a_compositor_is_asked_again_where_who_asks_has_ended(
    serve: Callable[[Sequence[str]], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script() -> list[tuple[str, bool]]:
        marks = Marks()
        async with wayland.idle(marks):
            await marks.until(*GONE, *GONE, *GONE)
        told = len(marks.told)
        await asyncio.sleep(0.2)
        assert len(marks.told) == told, "nobody asks after the end"
        return marks.told

    monkeypatch.setattr(wayland, "BACK_OFF_S", (0.05, 0.1))
    asked = serve(ALL)
    with capture_logs() as logged:
        assert len(asyncio.run(script())) == 3 * len(GONE)
    assert asked[:3] == [IDLE_S * 1000] * 3
    again = [one["reason"] for one in logged if one["event"].startswith("whether somebody is there is asked again")]
    assert len(again) >= 2 and "has ended with status" in again[0]


def test_one_that_tells_nobody_is_asked_once(
    serve: Callable[[Sequence[str]], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script() -> None:
        marks = Marks()
        async with wayland.idle(marks):
            await marks.until(("idle", False))
            await asyncio.sleep(0.5)

    monkeypatch.setattr(wayland, "BACK_OFF_S", (0.0, 0.0))
    asked = serve(["wl_seat"])
    with capture_logs() as logged:
        asyncio.run(script())
    assert (asked, logged) == ([0], [])


@pytest.mark.parametrize("lacks", ["compositor", "library"])
def test_without_a_compositor_or_its_library_nothing_is_told(
    lacks: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def script() -> list[tuple[str, bool]]:
        marks = Marks()
        async with wayland.idle(marks):
            return marks.told

    if lacks == "library":
        monkeypatch.setattr(wayland, "compositor", lambda: tmp_path)
        monkeypatch.setattr(wayland, "can_speak", lambda: False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert asyncio.run(script()) == []


def test_a_suspend_is_seen_by_the_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {time.CLOCK_BOOTTIME: 100.0, time.CLOCK_MONOTONIC: 100.0}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    sleep = slept()
    clocks[time.CLOCK_BOOTTIME] += 3.0
    clocks[time.CLOCK_MONOTONIC] += 3.0
    assert sleep.seconds() == 0.0
    clocks[time.CLOCK_BOOTTIME] += 600.0
    assert sleep.seconds() == 600.0
    assert sleep.seconds() == 0.0


@pytest.mark.parametrize("by", [3600.0, -86_400.0])
def test_a_clock_that_is_set_is_seen(monkeypatch: pytest.MonkeyPatch, by: float) -> None:
    clocks = {time.CLOCK_REALTIME: 1e9, time.CLOCK_BOOTTIME: 100.0}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    clock = clock_set()
    for name in clocks:
        clocks[name] += 600.0
    assert clock.seconds() == 0.0
    clocks[time.CLOCK_REALTIME] += by
    assert clock.seconds() == by
    assert clock.seconds() == 0.0
