"""A real sway without a screen, in a folder of its own; as another user where the test is root, whom sway refuses."""

import json
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conftest import needs_program
from waiting import until

NOBODY = pwd.getpwnam("nobody").pw_uid
ROOT = os.getuid() == 0
USER = NOBODY if ROOT else os.getuid()
HEADLESS = {"WLR_BACKENDS": "headless", "WLR_RENDERER": "pixman", "WLR_LIBINPUT_NO_DEVICES": "1"}


class Sway:
    """A running compositor whose clients are foot terminals."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder, self.process = folder, process
        self.socket = folder / f"sway-ipc.{USER}.{process.pid}.sock"

    def say(self, *words: str) -> Any:
        """What swaymsg answers."""
        command = [needs_program("swaymsg"), "--raw", "--socket", str(self.socket), *words]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    def open(self, app_id: str, title: str) -> int:
        """Start a client, which gets the focus; its process. What is written to the file of its name is its title."""
        names = self.folder / app_id
        names.touch()
        shown = f'tail -n +1 -f {names} | while read -r title; do printf "\\033]2;%s\\007" "$title"; done'
        script = self.folder / f"{app_id}.sh"
        script.write_text(shown)
        self.say("--", f"exec foot --app-id={app_id} --title='{title}' sh {script}")
        until(f"the window of {app_id}", lambda: app_id in self.windows())
        return int(self.windows()[app_id]["pid"])

    def windows(self) -> dict[str, dict[str, Any]]:
        """The windows by app id."""
        waiting, found = [self.say("-t", "get_tree")], {}
        while waiting:
            node = waiting.pop()
            waiting += node["nodes"] + node["floating_nodes"]
            if node.get("app_id"):
                found[node["app_id"]] = node
        return found

    def kill(self) -> None:
        """End it as a crash would, and its clients with it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def sway(folder: Path) -> Iterator[Sway]:
    """Run one until the context ends; it may run anew in the same folder."""
    program, _ = needs_program("sway"), needs_program("foot")
    config = folder / "config"
    config.write_text("xwayland disable\n")
    shutil.chown(folder, USER)
    command = [program, "--config", str(config)]
    if ROOT:
        command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), **HEADLESS}
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    running = Sway(folder, process)
    try:
        until("sway's socket", running.socket.exists)
        yield running
    finally:
        running.kill()
