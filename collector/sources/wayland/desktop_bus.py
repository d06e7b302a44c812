"""MEMO's object on the session bus, which a desktop's extension or script calls."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from dbus_fast import Message, NameFlag, RequestNameReply
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusStr, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

NAME, PATH = "org.memo.Collector", "/org/memo/Collector"
DBUS, DBUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
PID_DIGITS = 10

Told = Callable[[str, str, str, int], None]
"""Takes the window, its app id, its title and its process; 0 where that is not known."""


class FocusInterface(ServiceInterface):
    """What can be called. A window without app id and title says that none has the focus."""

    def __init__(self, told: Told) -> None:
        super().__init__(NAME)
        self._told = told

    @dbus_method()
    def Focus(self, app_id: DBusStr, title: DBusStr, pid: DBusUInt32) -> None:  # noqa: N802
        """A window has the focus; for those that can't tell one window of a program from another."""
        self._told("", app_id, title, pid)

    @dbus_method()
    def FocusWindow(self, window: DBusStr, app_id: DBusStr, title: DBusStr, pid: DBusStr) -> None:  # noqa: N802
        """The same, with what names the window; all is text, as KWin can't say which kind of number it sends."""
        self._told(window, app_id, title, int(pid) if pid.isdecimal() and len(pid) <= PID_DIGITS else 0)


@asynccontextmanager
async def serving(address: str, told: Told, lost: Callable[[], None]) -> AsyncIterator[None]:
    """Be there for calls while the context lasts; `lost` is called where the bus goes.

    Raises RuntimeError where the bus is another user's, or another MEMO is on it.
    """
    bus = await MessageBus(bus_address=address).connect()
    try:
        if await _owner(bus) != os.getuid():
            raise RuntimeError("the session bus is another user's; start MEMO as the user of the desktop")
        bus.export(PATH, FocusInterface(told))
        if await bus.request_name(NAME, NameFlag.DO_NOT_QUEUE) is not RequestNameReply.PRIMARY_OWNER:
            raise RuntimeError("another MEMO is on the session bus; stop it with `memo down` in its home")
        async with _noticed(bus, lost):
            yield
    finally:
        bus.disconnect()


@asynccontextmanager
async def _noticed(bus: MessageBus, lost: Callable[[], None]) -> AsyncIterator[None]:
    def ended(waits: asyncio.Task[None]) -> None:
        if not waits.cancelled():
            waits.exception()  # how it was lost does not matter
            lost()

    waits = asyncio.create_task(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
    waits.add_done_callback(ended)
    try:
        yield
    finally:
        waits.cancel()


async def _owner(bus: MessageBus) -> int | None:
    ask = Message(DBUS, DBUS_PATH, DBUS, "GetConnectionUnixUser", signature="s", body=[DBUS])
    answer = await bus.call(ask)
    return answer.body[0] if answer and answer.signature == "u" else None
