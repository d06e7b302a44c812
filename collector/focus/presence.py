"""Whether somebody is there, by what the system says: logind's marks of the session, and what its clocks tell."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

IDLE_S = 180.0
"""Without a touch of keyboard or mouse for so long, nobody is there."""
SHORTEST_S = 1.0
"""Less than this between the two clocks is the time between reading them."""
ANSWER_S = 2.0
"""What does not answer for so long is taken to be absent."""
LOGIND = "org.freedesktop.login1"
SESSION, MANAGER = f"{LOGIND}.Session", f"{LOGIND}.Manager"
PROPERTIES = "org.freedesktop.DBus.Properties"
MARKS = {"IdleHint": "idle hint", "LockedHint": "locked"}
"""Of a session: while one of them stands, nobody is there."""


class Mark(Protocol):
    """Is told a reason, whether it keeps the person away now, and for how many seconds it has done so already."""

    def __call__(self, reason: str, away: bool, for_s: float = 0.0) -> None:
        """Take it in."""


Sign = Callable[[Mark], AbstractAsyncContextManager[None]]
"""Tells a mark whether somebody is there, while the context lasts; nothing where it can't."""


class Drift:
    """How far one of the machine's clocks goes ahead of another. Source: clock_gettime(2)."""

    def __init__(self, ahead: int, behind: int) -> None:
        self._ahead, self._behind = ahead, behind
        self._between = self._read()

    def seconds(self) -> float:
        """Since the last call; below 0 where it was set back, 0 for no more than the time between reading the two."""
        between = self._read()
        since, self._between = between - self._between, between
        return since if abs(since) >= SHORTEST_S else 0.0

    def _read(self) -> float:
        return time.clock_gettime(self._ahead) - time.clock_gettime(self._behind)


def slept() -> Drift:
    """How long the machine was suspended: one of its clocks goes on meanwhile."""
    return Drift(time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC)


def clock_set() -> Drift:
    """How far the clock on the wall was set."""
    return Drift(time.CLOCK_REALTIME, time.CLOCK_BOOTTIME)


@asynccontextmanager
async def logind(mark: Mark) -> AsyncIterator[None]:
    """Tell `mark` what logind says of this user's graphical session, while the context lasts.

    Nothing is told where there is no system bus, no logind or no such session. Source: org.freedesktop.login1(5).
    """
    bus = await _system_bus()
    if bus is None:
        yield
        return
    try:
        await _listen(bus, mark)
        yield
    finally:
        bus.disconnect()


async def _system_bus() -> "MessageBus | None":
    address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/run/dbus/system_bus_socket")
    path = address.partition("unix:path=")[2].partition(",")[0]
    if path and not os.path.exists(path):
        return None  # without the 12 MB that the library takes
    from dbus_fast import BusType
    from dbus_fast.aio import MessageBus
    from dbus_fast.errors import AuthError, InvalidAddressError

    try:
        return await MessageBus(bus_type=BusType.SYSTEM).connect()
    except (OSError, EOFError, AuthError, InvalidAddressError):
        return None


async def _listen(bus: "MessageBus", mark: Mark) -> None:
    session = await _session(bus)
    if session is None:
        return

    def on_message(message: "Message") -> None:
        if message.member == "PrepareForSleep":
            mark("asleep", bool(message.body[0]))
        elif message.member == "PropertiesChanged" and message.path == session:
            _tell(message.body[1], mark)

    bus.add_message_handler(on_message)
    for interface, member in ((MANAGER, "PrepareForSleep"), (PROPERTIES, "PropertiesChanged")):
        path = session if interface == PROPERTIES else "/org/freedesktop/login1"
        await _ask(
            bus,
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            "AddMatch",
            f"type='signal',sender='{LOGIND}',path='{path}',interface='{interface}',member='{member}'",
        )
    answer = await _ask(bus, LOGIND, session, PROPERTIES, "GetAll", SESSION)
    if answer is not None:
        _tell(answer, mark)


def _tell(values: dict[str, Any], mark: Mark) -> None:
    for name, reason in MARKS.items():
        if name in values:
            mark(reason, bool(values[name].value))


async def _session(bus: "MessageBus") -> str | None:
    user = await _ask(bus, LOGIND, "/org/freedesktop/login1", MANAGER, "GetUser", os.getuid())
    if user is None:
        return None
    display = await _ask(bus, LOGIND, user, PROPERTIES, "Get", f"{LOGIND}.User", "Display")
    return display.value[1] if display is not None and display.value[0] else None


async def _ask(bus: "MessageBus", to: str, path: str, interface: str, member: str, *given: str | int) -> Any:
    """What is answered; None for an error."""
    from dbus_fast import Message, MessageType

    signature = "".join("s" if isinstance(value, str) else "u" for value in given)
    try:
        call = bus.call(Message(to, path, interface, member, signature=signature, body=list(given)))
        answer = await asyncio.wait_for(call, ANSWER_S)
    except TimeoutError:
        return None
    if answer is None or answer.message_type is MessageType.ERROR:
        return None
    return answer.body[0] if answer.body else True
