"""Where the servers of this user's desktop listen."""

import os
import re
import socket
import stat
from contextlib import suppress
from pathlib import Path


def runtime_folder() -> Path:
    """The folder of this user's sockets."""
    return Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")


def answering(named: str, pattern: str) -> Path | None:
    """The socket that is named, else the newest in the runtime folder whose name fits; only one that answers.

    What is named may have gone with a server of before, and a server that crashed leaves its socket behind.
    """
    folder = runtime_folder()
    fitting = [path for path in folder.glob("*") if re.fullmatch(pattern, path.name)]
    found = sorted(((_made(path), path) for path in fitting), reverse=True)
    for made, path in [(_made(folder / named), folder / named)] * bool(named) + found:
        if made and answers(path):
            return path
    return None


def _made(path: Path) -> int:
    """When this user's socket was made; 0 where there is none."""
    with suppress(OSError):
        status = path.stat()
        if stat.S_ISSOCK(status.st_mode) and status.st_uid == os.getuid():
            return status.st_mtime_ns
    return 0


def answers(path: Path) -> bool:
    """Whether a server listens there."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        return client.connect_ex(str(path)) == 0


def sway_socket() -> Path | None:
    """Of this user's sway, where one runs."""
    return answering(os.environ.get("SWAYSOCK", ""), rf"sway-ipc\.{os.getuid()}\.\d+\.sock")


def session_bus() -> str:
    """The address of this user's session bus; empty where there is none."""
    if named := os.environ.get("DBUS_SESSION_BUS_ADDRESS", ""):
        return named
    path = answering("", "bus")
    return f"unix:path={path}" if path else ""
