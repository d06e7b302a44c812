"""MEMO's object on the session bus, called by the extension or script of a desktop."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from dbus_fast import Message, NameFlag, RequestNameReply
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusStr, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

NAME = "org.memo.Collector"
PATH = "/org/memo/Collector"
DBUS = "org.freedesktop.DBus"
DBUS_PATH = "/org/freedesktop/DBus"
PID_DIGITS = 10

Answer = TypeVar("Answer")
SetFocus = Callable[[str, str, str, int], None]
"""Takes a window, its app id, its title and its process id, which is 0 if unknown."""


class FocusInterface(ServiceInterface):
    """The methods that can be called. A window without app id and title means that none has the focus."""

    def __init__(self, set_focus: SetFocus) -> None:
        super().__init__(NAME)
        self._set_focus = set_focus

    @dbus_method()
    def Focus(self, app_id: DBusStr, title: DBusStr, pid: DBusUInt32) -> None:  # noqa: N802
        """Report the focused window, for callers that cannot tell a program's windows apart."""
        self._set_focus("", app_id, title, pid)

    @dbus_method()
    def FocusWindow(self, window: DBusStr, app_id: DBusStr, title: DBusStr, pid: DBusStr) -> None:  # noqa: N802
        """Report the focused window and its id; `pid` is text because KWin cannot choose an integer's type."""
        self._set_focus(window, app_id, title, int(pid) if pid.isdecimal() and len(pid) <= PID_DIGITS else 0)


@asynccontextmanager
async def serve(address: str, set_focus: SetFocus, lose: Callable[[], None], answer_s: float) -> AsyncIterator[None]:
    """Serve calls while the context lasts; call `lose` if the bus goes away.

    Raises RuntimeError if the bus is another user's, or another MEMO is on it, ConnectionError if it does not answer.
    """
    bus = await _wait_for(MessageBus(bus_address=address).connect(), answer_s)
    try:
        if await _wait_for(_owner(bus), answer_s) != os.getuid():
            raise RuntimeError("the session bus is another user's; start MEMO as the user of the desktop")
        bus.export(PATH, FocusInterface(set_focus))
        request = bus.request_name(NAME, NameFlag.DO_NOT_QUEUE)
        if await _wait_for(request, answer_s) is not RequestNameReply.PRIMARY_OWNER:
            raise RuntimeError("another MEMO is on the session bus; stop it with `memo down` in its home")
        async with _watch_disconnect(bus, lose):
            yield
    finally:
        bus.disconnect()


async def _wait_for(answer: Coroutine[Any, Any, Answer], answer_s: float) -> Answer:
    try:
        return await asyncio.wait_for(answer, answer_s)
    except TimeoutError as error:
        raise ConnectionError("the session bus does not answer; log out and in again") from error


@asynccontextmanager
async def _watch_disconnect(bus: MessageBus, lose: Callable[[], None]) -> AsyncIterator[None]:
    def on_end(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # marks it as retrieved; any loss is handled alike
            lose()

    task = asyncio.create_task(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
    task.add_done_callback(on_end)
    try:
        yield
    finally:
        task.cancel()


async def _owner(bus: MessageBus) -> int | None:
    request = Message(DBUS, DBUS_PATH, DBUS, "GetConnectionUnixUser", signature="s", body=[DBUS])
    answer = await bus.call(request)
    return answer.body[0] if answer and answer.signature == "u" else None
