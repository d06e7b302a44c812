"""Process that lists the windows of a wlroots compositor, or brings one of them to the front.

python -m collector.sources.wayland.toplevel_list DISPLAY [APP_ID TITLE]

Without a window it writes a JSON list of pairs, app id and title. Its status is 0, or 69 if there is no such window. It
is a process of its own for the reason that `toplevels` gives.
"""

import json
import os
import sys
from typing import Any

from pywayland.client import Display

from collector.sources.wayland.declared_protocols import HandleProxy
from collector.sources.wayland.toplevels import Toplevels
from memo.stack.process_specs import end_with_parent


def main(name: str, *wanted: str) -> int:
    """List the windows, or focus the one that is wanted; return the exit status."""
    display = Display(name)
    display.connect()
    registry: Any = display.get_registry()
    toplevels = Toplevels()
    registry.dispatcher["global"] = toplevels.offer
    for _ in range(2):  # the interfaces; the windows
        display.roundtrip()
    if not wanted:
        print(json.dumps([(window.app_id, window.title) for window in toplevels.find_own().values()]), flush=True)
        return os.EX_OK
    for handle, window in toplevels.find_own().items():
        if (window.app_id, window.title) == wanted and isinstance(handle, HandleProxy):
            handle.activate(toplevels.seat)
            display.roundtrip()
            return os.EX_OK
    return os.EX_UNAVAILABLE


if __name__ == "__main__":
    end_with_parent()
    status = os.EX_SOFTWARE
    try:
        status = main(*sys.argv[1:])
    finally:
        os._exit(status)  # the library may crash on exit
