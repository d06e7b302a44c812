"""Tell systemd that MEMO is ready, works, and stops; see sd_notify(3)."""

import os
import socket
from contextlib import suppress

SOCKET, WATCHDOG, WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
SEND_S = 1.0  # to send a datagram; systemd may be busy


class Notifier:
    """Sends messages to the service manager that started this process; without one, it sends nothing."""

    def __init__(self, address: str = "") -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    @classmethod
    def take(cls) -> "Notifier":
        """Return this process's notifier, and remove its address from the environment that apps and parts inherit."""
        for name in (WATCHDOG, WATCHDOG_PID):
            os.environ.pop(name, None)
        return cls(os.environ.pop(SOCKET, ""))

    def __bool__(self) -> bool:
        return bool(self._address)

    def send(self, message: str) -> None:
        """Send assignments such as READY=1, one a line."""
        if not self:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.settimeout(SEND_S)
            connection.sendto(message.encode(), self._address)
