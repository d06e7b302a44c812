"""The process that asks a Wayland compositor whether somebody is there, and writes a byte at each change: 1 where
nobody has touched keyboard or mouse for a while, 0 where somebody does again.

A process of its own, because the library ends the whole process where the compositor has gone.
"""

import os
import sys
from typing import Any

from pywayland.client import Display
from pywayland.protocol.ext_idle_notify_v1 import ExtIdleNotifierV1
from pywayland.protocol.wayland import WlSeat

from collector.sources.wayland.kwin_idle_protocol import Idle
from memo.stack.process_specs import end_with_parent


def main(name: str, after_ms: int) -> int:
    """Follow a display for ever; the exit status where the compositor tells nobody whether somebody is there."""
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
        notice, begins = notifier.get_idle_notification(after_ms, seat), "idled"
    else:
        notice, begins = registry.bind(offered[Idle.name], Idle, 1).get_idle_timeout(seat, after_ms), "idle"
    notice.dispatcher[begins] = lambda notice: _tell(b"1")
    notice.dispatcher["resumed"] = lambda notice: _tell(b"0")
    while True:
        display.dispatch(block=True)


def _tell(word: bytes) -> None:
    os.write(sys.stdout.fileno(), word)


if __name__ == "__main__":
    end_with_parent()
    status = os.EX_SOFTWARE
    try:
        status = main(sys.argv[1], int(sys.argv[2]))
    finally:
        os._exit(status)  # the library's own end may crash
