"""Desktop notifications over D-Bus. Source: Desktop Notifications Specification 1.2 of freedesktop.org."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from memo.core.errors import MemoError
from memo.core.grammar import clean
from memo.desktop.sockets import session_bus

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
DBUS = "org.freedesktop.DBus"
DBUS_PATH = "/org/freedesktop/DBus"
CALL_S = 5.0  # a server that does not answer for this long counts as absent; the bus may have to start one
MAX_SHOWN = 200  # most characters of a text from elsewhere
LOW = 0  # urgency
ASK_S = 2.0  # longest wait to learn whether buttons can be clicked
MENUS = ("dmenu", "rofi", "wofi", "fuzzel")  # programs through which dunst shows buttons; source: dunst(5), `dmenu`
NO_BUTTONS = "the desktop's notifications have no buttons"
NO_MENU = f"dunst shows buttons in a menu only, and none of {', '.join(MENUS)} is installed"


class NotShown(MemoError):
    """The desktop does not show the notification."""


def plain(text: str) -> str:
    """Return a text from elsewhere as one line of bounded length, with its markup escaped."""
    # Unprintable characters include those that change the direction of writing.
    printable = "".join(letter if letter.isprintable() else " " for letter in clean(text))
    line = " ".join(printable.split())
    return escape(line if len(line) <= MAX_SHOWN else f"{line[:MAX_SHOWN]}…", quote=False)


def show(summary: str, body: str, actions: Mapping[str, str], wait_s: float, call_s: float = CALL_S) -> str | None:
    """Show a notification and return the key of the action chosen within `wait_s`, or None.

    `body` is markup: pass texts from elsewhere through `plain`. Raises NotShown.
    """
    return asyncio.run(_show(summary, body, actions, wait_s, call_s))


def click_problem(ask_s: float = ASK_S) -> str:
    """Return why no click can answer a notification; empty if one can, or if nobody says so within `ask_s`."""
    try:
        return asyncio.run(asyncio.wait_for(_click_problem(ask_s), ask_s))
    except (NotShown, TimeoutError, LookupError, TypeError):  # the last two: the server answers in another form
        return ""


async def _click_problem(call_s: float) -> str:
    async with _connected(call_s) as conversation:
        return await conversation.click_problem()


async def _show(summary: str, body: str, actions: Mapping[str, str], wait_s: float, call_s: float) -> str | None:
    async with _connected(call_s) as conversation:
        return await conversation.show(summary, body, actions, wait_s)


@asynccontextmanager
async def _connected(call_s: float) -> "AsyncIterator[_Conversation]":
    from dbus_fast.aio import MessageBus
    from dbus_fast.errors import AuthError, InvalidAddressError

    try:
        bus = await asyncio.wait_for(MessageBus(session_bus()).connect(), call_s)
    except (OSError, EOFError, TimeoutError, AuthError, InvalidAddressError) as error:
        raise NotShown("there is no session bus; start MEMO inside your desktop session") from error
    try:
        yield _Conversation(bus, call_s)
    finally:
        bus.disconnect()


class _Conversation:
    """One notification on one bus."""

    def __init__(self, bus: "MessageBus", call_s: float) -> None:
        self._bus, self._call_s = bus, call_s
        self._signals: asyncio.Queue[Message] = asyncio.Queue()

    async def show(self, summary: str, body: str, actions: Mapping[str, str], wait_s: float) -> str | None:
        from dbus_fast import Variant

        if actions and not await self._has_buttons():
            raise NotShown(f"{NO_BUTTONS}; use another notification program")
        await self._listen()  # before it is shown, so that no answer is missed
        flat = [word for action in actions.items() for word in action]
        hints = {"urgency": Variant("y", LOW)}
        shown = await self._call(
            "Notify", "susssasa{sv}i", ["MEMO", 0, "", summary, body, flat, hints, int(wait_s * 1e3)]
        )
        if not actions:
            return None
        try:
            return await asyncio.wait_for(self._chosen(shown), wait_s)
        except TimeoutError:
            await self._call("CloseNotification", "u", [shown.body[0]])  # nobody waits for a later answer
            return None

    async def click_problem(self) -> str:
        """Return why no click can answer a notification, or an empty text."""
        if not await self._has_buttons():
            return NO_BUTTONS
        name = (await self._call("GetServerInformation")).body[0]
        return NO_MENU if name == "dunst" and not any(map(shutil.which, MENUS)) else ""

    async def _has_buttons(self) -> bool:
        return "actions" in (await self._call("GetCapabilities")).body[0]

    async def _listen(self) -> None:
        self._bus.add_message_handler(self._receive)
        rule = f"type='signal',path='{PATH}',interface='{NAME}'"
        await self._call("AddMatch", "s", [rule], DBUS, DBUS_PATH)

    def _receive(self, message: "Message") -> None:
        if message.interface == NAME and message.member in ("ActionInvoked", "NotificationClosed"):
            self._signals.put_nowait(message)

    async def _chosen(self, shown: "Message") -> str | None:
        while True:
            signal = await self._signals.get()
            if signal.sender == shown.sender and signal.body[:1] == shown.body[:1]:  # any program can send such signals
                return str(signal.body[1]) if signal.member == "ActionInvoked" else None

    async def _call(
        self, member: str, kinds: str = "", body: list[Any] | None = None, to: str = NAME, path: str = PATH
    ) -> "Message":
        from dbus_fast import Message, MessageType

        call = Message(to, path, to, member, signature=kinds, body=body or [])
        try:
            reply = await asyncio.wait_for(self._bus.call(call), self._call_s)
        except (TimeoutError, EOFError, OSError) as error:
            raise NotShown("no program shows notifications; start one, such as dunst") from error
        if reply is None or reply.message_type is MessageType.ERROR:
            raise NotShown(f"no program shows notifications ({reply and reply.error_name}); start one, such as dunst")
        return reply
