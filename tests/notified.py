"""A stand-in for a desktop's notifications: it shows them to nobody, and presses what it was told to press."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus
from waiting import WAIT_S

from worker.effects.notifications import NAME, PATH

NEVER = "never"


class Server:
    """The server, on a bus."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.able = ["body", "body-markup", "actions"]
        self.name = "stand-in"
        self.presses = ""
        """`close` closes it, `ignore` does nothing, `silent` answers no call, `error` refuses each."""
        self.shown: list[list[Any]] = []
        self.closed: list[int] = []
        self._connection: MessageBus

    async def serve(self, ready: Callable[[], None], end: asyncio.Event) -> None:
        self._connection = await MessageBus(self.address).connect()
        self._connection.add_message_handler(self._answer)
        await self._connection.request_name(NAME)
        ready()
        await end.wait()
        self._connection.disconnect()

    def _answer(self, asked: Message) -> Message | bool | None:
        if asked.message_type is not MessageType.METHOD_CALL or asked.interface != NAME:
            return None
        if self.presses == "silent":
            return True
        if self.presses == "error":
            return Message.new_error(asked, "org.example.Error", "no")
        if asked.member == "GetCapabilities":
            return Message.new_method_return(asked, "as", [self.able])
        if asked.member == "GetServerInformation":
            return Message.new_method_return(asked, "ssss", [self.name, "MEMO", "1", "1.2"])
        if asked.member == "CloseNotification":
            self.closed.append(asked.body[0])
            return Message.new_method_return(asked)
        self.shown.append(asked.body)
        number = len(self.shown)
        self._tell(number + 1, NEVER)  # of somebody else's notification
        asyncio.get_running_loop().call_soon(self._press, number)
        return Message.new_method_return(asked, "u", [number])

    def _press(self, number: int) -> None:
        if self.presses == "close":
            self._signal("NotificationClosed", "uu", [number, 2])
        elif self.presses != "ignore":
            self._tell(number, self.presses)
            self._signal("NotificationClosed", "uu", [number, 2])

    def _tell(self, number: int, key: str) -> None:
        self._signal("ActionInvoked", "us", [number, key])

    def _signal(self, member: str, kinds: str, given: list[Any]) -> None:
        self._connection.send(Message.new_signal(PATH, NAME, member, kinds, given))


@contextmanager
def serving(server: Server) -> Iterator[None]:
    """Run the server in a thread of its own."""
    ready, loop, end = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(server.serve(ready.set, end),))
    thread.start()
    try:
        assert ready.wait(WAIT_S)
        yield
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(WAIT_S)
        loop.close()
