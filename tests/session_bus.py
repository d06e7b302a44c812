"""A session bus of its own for a test, and callers on it."""

import asyncio
import subprocess

from conftest import needs_program
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from collector.sources.wayland.desktop_bus import NAME, PATH

Call = tuple[str, str, list[str | int]]
"""Method, signature and what is given."""


class Bus:
    """A session bus, and callers on it."""

    def __init__(self) -> None:
        command = [needs_program("dbus-daemon"), "--session", "--nofork", "--nosyslog", "--print-address=1"]
        self.daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.daemon.stdout is not None
        with self.daemon.stdout as said:
            self.address = said.readline().decode().strip()

    def send(self, member: str, *words: str) -> bool:
        """Call as any program may; whether the call was taken."""
        command = [needs_program("dbus-send"), f"--bus={self.address}", f"--dest={NAME}", "--print-reply"]
        asked = subprocess.run([*command, PATH, f"{NAME}.{member}", *words], capture_output=True, check=False)
        return asked.returncode == 0

    def call(self, *calls: Call) -> None:
        """Make calls, one right after the other."""

        async def connected() -> None:
            bus = await MessageBus(self.address).connect()
            for member, kinds, given in calls:
                answer = await bus.call(Message(NAME, PATH, NAME, member, signature=kinds, body=given))
                assert answer and answer.message_type is MessageType.METHOD_RETURN
            bus.disconnect()

        asyncio.run(connected())

    def end(self) -> None:
        """The bus goes."""
        self.daemon.kill()
        self.daemon.wait()
