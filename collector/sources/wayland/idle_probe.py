"""Probe process for idle time under Wayland: writes 1 when there has been no input for a while, 0 at the next input.

It is a process of its own because the library ends the whole process when the compositor goes away.
"""

import os
import sys
from typing import Any

from pywayland.client import Display
from pywayland.protocol.ext_idle_notify_v1 import ExtIdleNotifierV1
from pywayland.protocol.wayland import WlSeat

from collector.sources.wayland.declared_protocols import Idle
from memo.stack.process_specs import end_with_parent


def main(name: str, after_ms: int) -> int:
    """Follow a display for ever; return the exit status if the compositor has no idle signal."""
    display = Display(name)
    display.connect()
    registry: Any = display.get_registry()
    offered: dict[str, int] = {}
    registry.dispatcher["global"] = lambda registry, number, interface, version: offered.setdefault(interface, number)
    display.roundtrip()
    if WlSeat.name not in offered or not {ExtIdleNotifierV1.name, Idle.name} & offered.keys():
        return os.EX_UNAVAILABLE
    seat = registry.bind(offered[WlSeat.name], WlSeat, 1)
    if ExtIdleNotifierV1.name in offered:
        notifier = registry.bind(offered[ExtIdleNotifierV1.name], ExtIdleNotifierV1, 1)
        notification, idle_event = notifier.get_idle_notification(after_ms, seat), "idled"
    else:
        timer = registry.bind(offered[Idle.name], Idle, 1)
        notification, idle_event = timer.get_idle_timeout(seat, after_ms), "idle"
    notification.dispatcher[idle_event] = lambda notification: _write(b"1")
    notification.dispatcher["resumed"] = lambda notification: _write(b"0")
    while True:
        display.dispatch(block=True)


def _write(state: bytes) -> None:
    os.write(sys.stdout.fileno(), state)


if __name__ == "__main__":
    end_with_parent()
    status = os.EX_SOFTWARE
    try:
        status = main(sys.argv[1], int(sys.argv[2]))
    finally:
        os._exit(status)  # the library may crash on exit
