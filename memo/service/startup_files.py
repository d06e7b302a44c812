"""The file that starts MEMO with the session: a unit of systemd or, without systemd, an entry of XDG autostart."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from memo.core.errors import UsageError
from memo.core.paths import given_umask

UNIT = "memo.service"
STARTED = "memo-started-"  # prefix of the names of units in which MEMO as a service starts programs
PRIVATE_UMASK = 0o077
UNDER_SYSTEMD = "MEMO_SERVICE"  # environment variable: set in the unit
# docs/service.md explains what is missing here.
_UNIT = """\
[Unit]
Description=MEMO, which learns what you do and predicts what comes next
PartOf=graphical-session.target
After=graphical-session.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
Environment=MEMO_SERVICE=1 MEMO_UMASK={umask:04o}
{environment}\
Restart=on-failure
RestartPreventExitStatus=2
RestartSec=5
OOMPolicy=continue
TimeoutStartSec=30min
TimeoutStopSec=30
WatchdogSec=60
CapabilityBoundingSet=
KeyringMode=private
LockPersonality=yes
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service mincore
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
UMask=0077

[Install]
WantedBy=graphical-session.target
"""
_AUTOSTART = """\
[Desktop Entry]
Type=Application
Name=MEMO
Comment=Learns what you do and predicts what comes next
Comment[zh_CN]=学习你做什么，并预测接下来会做什么
Exec={command}
Terminal=false
NoDisplay=true
"""


def unit_file() -> Path:
    """Return the path of the unit."""
    return _config_folder() / "systemd" / "user" / UNIT


def autostart_file() -> Path:
    """Return the path of the entry of XDG autostart."""
    return _config_folder() / "autostart" / "memo.desktop"


def find_installed() -> list[Path]:
    """Return which of these two files exist."""
    return [path for path in (unit_file(), autostart_file()) if os.path.lexists(path)]


def unit_text(command: Sequence[str], home: str) -> str:
    """Return the unit that runs a command; `home` is MEMO_HOME, or empty.

    Programs that MEMO runs for the person get the umask that this process was given.
    """
    environment = f"Environment={_for_systemd(f'MEMO_HOME={home}')}\n" if home else ""
    return _UNIT.format(
        command=" ".join(map(_for_command, command)),
        environment=environment,
        umask=given_umask() if given_umask() >= 0 else PRIVATE_UMASK,
    )


def autostart_text(command: Sequence[str], home: str) -> str:
    """Return the entry that runs a command; `home` is MEMO_HOME, or empty."""
    words = ["env", f"MEMO_HOME={home}", *command] if home else command
    return _AUTOSTART.format(command=" ".join(map(_for_desktop, words)))


def _config_folder() -> Path:
    named = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(named) if os.path.isabs(named) else Path.home() / ".config"


def _for_systemd(word: str) -> str:
    """Quote a word; see systemd.syntax(7) and the specifiers of systemd.unit(5)."""
    quoted = re.sub(r'(["\\])', r"\\\1", _printable(word))
    return f'"{quoted.replace("%", "%%")}"'


def _for_command(word: str) -> str:
    """Quote a word of a command, in which a dollar begins a variable, too."""
    return _for_systemd(word).replace("$", "$$")


def _for_desktop(word: str) -> str:
    """Quote a word of the key Exec; its quoting is escaped once more, as the value is a string."""
    if re.fullmatch(r"[\w./=-]+", _printable(word)):
        return word
    quoted = re.sub(r'(["`$\\])', r"\\\1", word)
    return f'"{quoted}"'.replace("\\", "\\\\").replace("%", "%%")


def _printable(word: str) -> str:
    if not word.isprintable():
        raise UsageError(f"The path {word!r} has characters that a start file can't hold; choose another folder.")
    return word
