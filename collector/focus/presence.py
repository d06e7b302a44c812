"""Presence signals: logind's state of the session, and a suspend or clock change seen in the machine's clocks."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

IDLE_S = 180.0  # without input; after that the person counts as away
MIN_DRIFT_S = 1.0  # smaller drifts come from reading the two clocks one after the other
ANSWER_TIMEOUT_S = 2.0  # a service that takes longer counts as absent
LOGIND = "org.freedesktop.login1"
SESSION = f"{LOGIND}.Session"
MANAGER = f"{LOGIND}.Manager"
PROPERTIES = "org.freedesktop.DBus.Properties"
AWAY_PROPERTIES = {"IdleHint": "idle hint", "LockedHint": "locked"}  # session property -> reason to be away


class SetPresence(Protocol):
    """Takes a reason, whether it applies now, and for how many seconds it has applied already."""

    def __call__(self, reason: str, away: bool, for_s: float = 0.0) -> None:
        """Record the presence."""


PresenceSignal = Callable[[SetPresence], AbstractAsyncContextManager[None]]
"""Reports presence while the context lasts; reports nothing where it is not supported."""


class Drift:
    """The drift between two of the machine's clocks. Source: clock_gettime(2)."""

    def __init__(self, clock: int, reference: int) -> None:
        self._clock, self._reference = clock, reference
        self._difference = self._read()

    def seconds(self) -> float:
        """Return how far the clock has moved against the reference since the last call; 0 for a tiny drift."""
        before, self._difference = self._difference, self._read()
        moved = self._difference - before
        return moved if abs(moved) >= MIN_DRIFT_S else 0.0

    def _read(self) -> float:
        return time.clock_gettime(self._clock) - time.clock_gettime(self._reference)


suspend_drift = partial(Drift, time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC)  # only one of them runs in a suspend
wall_clock_drift = partial(Drift, time.CLOCK_REALTIME, time.CLOCK_BOOTTIME)  # how far the wall clock was set


@asynccontextmanager
async def watch_logind(set_presence: SetPresence, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> AsyncIterator[None]:
    """Report what logind says of this user's graphical session, while the context lasts.

    Reports nothing without a system bus, logind or such a session. Source: org.freedesktop.login1(5).
    """
    bus = await _connect_system_bus()
    if bus is None:
        yield
        return
    try:
        await _Logind(bus, answer_timeout_s).listen(set_presence)
        yield
    finally:
        bus.disconnect()


async def _connect_system_bus() -> "MessageBus | None":
    address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/run/dbus/system_bus_socket")
    path = address.partition("unix:path=")[2].partition(",")[0]
    if path and not os.path.exists(path):
        return None  # saves importing the library, which takes 12 MB
    from dbus_fast import BusType
    from dbus_fast.aio import MessageBus
    from dbus_fast.errors import AuthError, InvalidAddressError

    try:
        return await asyncio.wait_for(MessageBus(bus_type=BusType.SYSTEM).connect(), ANSWER_TIMEOUT_S)
    except (OSError, EOFError, AuthError, InvalidAddressError):
        return None


class _Logind:
    """Calls to logind over a bus."""

    def __init__(self, bus: "MessageBus", answer_timeout_s: float) -> None:
        self._bus, self._answer_timeout_s = bus, answer_timeout_s

    async def listen(self, set_presence: SetPresence) -> None:
        """Report the session's properties now and at each change."""
        session = await self._find_session()
        if session is None:
            return

        def on_message(message: "Message") -> None:
            if message.member == "PrepareForSleep":
                set_presence("asleep", bool(message.body[0]))
            elif message.member == "PropertiesChanged" and message.path == session:
                _report(message.body[1], set_presence)

        self._bus.add_message_handler(on_message)
        await self._subscribe(MANAGER, "PrepareForSleep", "/org/freedesktop/login1")
        await self._subscribe(PROPERTIES, "PropertiesChanged", session)
        properties = await self._call(LOGIND, session, PROPERTIES, "GetAll", SESSION)
        if properties is not None:
            _report(properties, set_presence)

    async def _find_session(self) -> str | None:
        user = await self._call(LOGIND, "/org/freedesktop/login1", MANAGER, "GetUser", os.getuid())
        if user is None:
            return None
        display = await self._call(LOGIND, user, PROPERTIES, "Get", f"{LOGIND}.User", "Display")
        return display.value[1] if display is not None and display.value[0] else None

    async def _subscribe(self, interface: str, member: str, path: str) -> None:
        rule = f"type='signal',sender='{LOGIND}',path='{path}',interface='{interface}',member='{member}'"
        dbus = "org.freedesktop.DBus"
        await self._call(dbus, "/org/freedesktop/DBus", dbus, "AddMatch", rule)

    async def _call(self, to: str, path: str, interface: str, member: str, *arguments: str | int) -> Any:
        """Return the answer's first value (True if it has none); None for an error or a timeout."""
        from dbus_fast import Message, MessageType

        signature = "".join("s" if isinstance(value, str) else "u" for value in arguments)
        call = self._bus.call(Message(to, path, interface, member, signature=signature, body=list(arguments)))
        try:
            answer = await asyncio.wait_for(call, self._answer_timeout_s)
        except TimeoutError:
            return None
        if answer is None or answer.message_type is MessageType.ERROR:
            return None
        return answer.body[0] if answer.body else True


def _report(properties: dict[str, Any], set_presence: SetPresence) -> None:
    for name, reason in AWAY_PROPERTIES.items():
        if name in properties:
            set_presence(reason, bool(properties[name].value))
