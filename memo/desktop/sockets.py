"""The sockets of the servers of this user's desktop."""

import os
import re
import socket
import stat
from contextlib import suppress
from pathlib import Path

X_SOCKETS = Path("/tmp/.X11-unix")


def answering(named: str, pattern: str) -> Path | None:
    """Return the named socket, else the newest in the runtime folder that matches; None if none of them answers.

    The named socket may belong to an earlier server, and a server that crashed leaves its socket behind.
    """
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    matching = [path for path in folder.glob("*") if re.fullmatch(pattern, path.name)]
    paths = [folder / named] * bool(named) + sorted(matching, key=_created_ns, reverse=True)
    return next((path for path in paths if _created_ns(path) and answers(path)), None)


def _created_ns(path: Path) -> int:
    """Return when this user's socket was created, in nanoseconds; 0 if it is none."""
    with suppress(OSError):
        status = path.stat()
        if stat.S_ISSOCK(status.st_mode) and status.st_uid == os.getuid():
            return status.st_mtime_ns
    return 0


def answers(path: Path) -> bool:
    """Return whether a server listens on the socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        return client.connect_ex(str(path)) == 0


def sway_socket() -> Path | None:
    """Return the socket of this user's sway, or None."""
    return answering(os.environ.get("SWAYSOCK", ""), rf"sway-ipc\.{os.getuid()}\.\d+\.sock")


def x_sockets() -> list[Path]:
    """Return the sockets of this user's X servers that answer."""
    named = (path for path in X_SOCKETS.glob("X*") if re.fullmatch(r"X\d+", path.name))
    return [path for path in named if _created_ns(path) and answers(path)]


def has_desktop() -> bool:
    """Return whether a desktop of this user runs, in whatever session this process is."""
    return bool(x_sockets() or answering("", r"wayland-\d+"))


def session_bus() -> str:
    """Return the address of this user's session bus, or empty if there is none."""
    if named := os.environ.get("DBUS_SESSION_BUS_ADDRESS", ""):
        return named
    path = answering("", "bus")
    return f"unix:path={path}" if path else ""
