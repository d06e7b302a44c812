"""Notifications of the desktop, by D-Bus. Source: Desktop Notifications Specification 1.2 of freedesktop.org."""

import asyncio
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from memo.core.errors import MemoError
from memo.core.grammar import clean
from memo.desktop.sockets import session_bus

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

NAME, PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
DBUS, DBUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
CALL_S = 5.0
"""A server that does not answer a call for so long is taken to be absent; the bus may be starting one."""
MAX_SHOWN = 200
"""Characters of a text from elsewhere."""
LOW = 0
"""Urgency."""


class NotShown(MemoError):
    """The desktop does not show it."""


def plain(text: str) -> str:
    """A text from elsewhere as it may stand in a notification: one line, bounded, its markup shown as such."""
    seen = "".join(letter if letter.isprintable() else " " for letter in clean(text))  # none turns the line around
    line = " ".join(seen.split())
    return escape(line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…", quote=False)


def show(summary: str, body: str, actions: Mapping[str, str], wait_s: float) -> str | None:
    """Show it, and wait for the key of the action that is chosen; None where none was, or there are none.

    `body` is markup: pass what comes from elsewhere through `plain`. Raises NotShown.
    """
    return asyncio.run(_shown(summary, body, actions, wait_s))


async def _shown(summary: str, body: str, actions: Mapping[str, str], wait_s: float) -> str | None:
    bus = await _session_bus()
    try:
        return await _Conversation(bus).show(summary, body, actions, wait_s)
    finally:
        bus.disconnect()


async def _session_bus() -> "MessageBus":
    from dbus_fast.aio import MessageBus
    from dbus_fast.errors import AuthError, InvalidAddressError

    try:
        return await asyncio.wait_for(MessageBus(session_bus()).connect(), CALL_S)
    except (OSError, EOFError, TimeoutError, AuthError, InvalidAddressError) as error:
        raise NotShown("there is no session bus; start MEMO inside of your desktop") from error


class _Conversation:
    """With the server of one bus."""

    def __init__(self, bus: "MessageBus") -> None:
        self._bus = bus
        self._signals: asyncio.Queue[Message] = asyncio.Queue()

    async def show(self, summary: str, body: str, actions: Mapping[str, str], wait_s: float) -> str | None:
        from dbus_fast import Variant

        able = (await self._call("GetCapabilities")).body[0]
        if actions and "actions" not in able:
            raise NotShown("the desktop's notifications can't ask; use another program for them")
        await self._listen()
        flat = [word for action in actions.items() for word in action]
        hints = {"urgency": Variant("y", LOW)}
        given = ["MEMO", 0, "", summary, body, flat, hints, int(wait_s * 1e3)]
        shown = await self._call("Notify", "susssasa{sv}i", given)
        if not actions:
            return None
        try:
            return await asyncio.wait_for(self._chosen(shown), wait_s)
        except TimeoutError:
            await self._call("CloseNotification", "u", [shown.body[0]])  # nobody waits for a later answer
            return None

    async def _listen(self) -> None:
        """Before it is shown, so that no answer is missed."""
        self._bus.add_message_handler(self._heard)
        rule = f"type='signal',path='{PATH}',interface='{NAME}'"
        await self._call("AddMatch", "s", [rule], DBUS, DBUS_PATH)

    def _heard(self, message: "Message") -> None:
        if message.interface == NAME and message.member in ("ActionInvoked", "NotificationClosed"):
            self._signals.put_nowait(message)

    async def _chosen(self, shown: "Message") -> str | None:
        while True:
            heard = await self._signals.get()
            if heard.sender == shown.sender and heard.body[:1] == shown.body[:1]:  # any program can send such a signal
                return str(heard.body[1]) if heard.member == "ActionInvoked" else None

    async def _call(
        self, member: str, kinds: str = "", given: list[Any] | None = None, to: str = NAME, path: str = PATH
    ) -> "Message":
        from dbus_fast import Message, MessageType

        call = Message(to, path, to, member, signature=kinds, body=given or [])
        try:
            answer = await asyncio.wait_for(self._bus.call(call), CALL_S)
        except (TimeoutError, EOFError, OSError) as error:
            raise NotShown("no program shows notifications; start one such as dunst") from error
        if answer is None or answer.message_type is MessageType.ERROR:
            raise NotShown(f"no program shows notifications ({answer and answer.error_name}); start one such as dunst")
        return answer
