"""A real sway without a screen, in a folder of its own; as another user where the test is root, whom sway refuses."""

import json
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from conftest import needs_program
from waiting import WAIT_S, until

NOBODY = pwd.getpwnam("nobody").pw_uid
ROOT = os.getuid() == 0
USER = NOBODY if ROOT else os.getuid()
IPC_MAGIC, IPC_HEADER = b"i3-ipc", "=6sII"  # magic, length of what follows, type; sway-ipc(7)
RUN_COMMAND, GET_TREE = 0, 4
HEADLESS = {"WLR_BACKENDS": "headless", "WLR_RENDERER": "pixman", "WLR_LIBINPUT_NO_DEVICES": "1"}


class Sway:
    """A running compositor whose clients are foot terminals."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.folder, self.process = folder, process
        self.socket = folder / f"sway-ipc.{USER}.{process.pid}.sock"

    def say(self, command: str) -> None:
        """Let sway run a command."""
        assert all(result["success"] for result in self._ask(RUN_COMMAND, command)), command

    def answers(self) -> bool:
        """Return whether sway answers; its socket appears a moment before that."""
        with suppress(FileNotFoundError, ConnectionRefusedError):
            return bool(self._ask(GET_TREE))
        return False

    def _ask(self, kind: int, text: str = "") -> Any:
        """Return the answer of sway, however long that takes; swaymsg gives up after 3 s."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(WAIT_S)
            connection.connect(str(self.socket))
            connection.sendall(struct.pack(IPC_HEADER, IPC_MAGIC, len(text.encode()), kind) + text.encode())
            with connection.makefile("rb") as answer:
                _, size, _ = struct.unpack(IPC_HEADER, answer.read(struct.calcsize(IPC_HEADER)))
                return json.loads(answer.read(size))

    def open(self, app_id: str, title: str) -> int:
        """Start a client, which gets the focus; its process. What is written to the file of its name is its title."""
        names = self.folder / app_id
        names.touch()
        shown = f'tail -n +1 -f {names} | while read -r title; do printf "\\033]2;%s\\007" "$title"; done'
        script = self.folder / f"{app_id}.sh"
        script.write_text(shown)
        self.say(f"exec foot --app-id={app_id} --title='{title}' sh {script}")
        until(f"the window of {app_id}", lambda: app_id in self.windows())
        return int(self.windows()[app_id]["pid"])

    def windows(self) -> dict[str, dict[str, Any]]:
        """The windows by app id."""
        waiting, found = [self._ask(GET_TREE)], {}
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
        until("sway answers", running.answers)
        yield running
    finally:
        running.kill()
