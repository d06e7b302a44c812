"""What to do about files that the embedded broker can't read, as a power failure leaves them.

The queue holds nothing that the store does not: what was under way is asked for again, so the broker begins empty.
"""

import re
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from memo.core.files import set_aside
from memo.core.paths import Home
from memo.stack.broker import clear

UNREADABLE = re.compile(
    "Bad file format reading the append only file"
    "|the truncated file is not the last file"
    "|FATAL AOF MANIFEST FILE ERROR"
    "|Unable to obtain the AOF file .* (No such file|Too many levels)"
    "|(Unrecoverable error reading|Error trying to rename|Can't open or create) .*: (Is a|Not a) directory"
    "|Failed opening Unix socket: bind: Address already in use"
    "|[Uu]nknown command .* reading the append only file"
    "|Error reading the append only file .* unknown command"
    "|Internal error in RDB reading"
    "|Unknown type or opcode when loading DB"
    "|Wrong signature trying to load DB"
    "|Can't handle RDB format version"
    "|Wrong RDB checksum"
)
"""What Valkey and Redis 7 say before they exit. They have other words for a lack of memory or disk space."""
LACK = re.compile("failed allocating|Out Of Memory|No space left", re.I)  # may come before a line as above
ALLOCATION = re.compile(r"allocating (\d+) bytes")
CRASHES = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE)  # exit statuses
LARGEST = 10_000_000  # bytes; to load small files may take as much at once


def is_damage(output: Path, pid: int, status: int, folder: Path) -> bool:
    """Return whether a broker that did not serve yet ended because of what is in its folder.

    Its output says so, or it crashed. A lack of memory or space is no damage, unless the broker asked for more than its
    files can hold: then a length in them was overwritten.
    """
    with suppress(OSError):
        _, *said = re.split(f"^{pid}:", output.read_text(encoding="utf-8", errors="replace"), maxsplit=1, flags=re.M)
        words = "".join(said)
        if LACK.search(words):
            wanted = max(map(int, ALLOCATION.findall(words)), default=0)
            return wanted > max(LARGEST, sum(path.stat().st_size for path in folder.rglob("*")))
        return status in CRASHES or bool(UNREADABLE.search(words))
    return False


def set_broker_aside(home: Home) -> str:
    """Set the broker's files aside, in the place of those of earlier times; return a sentence that says so."""
    for old in home.damaged.glob("*/broker"):
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        with suppress(OSError):  # it holds a store
            old.parent.rmdir()
    clear(home)  # nobody listens on the socket any more, or it is no socket at all
    folder = set_aside(home, [home.broker])
    return f"The broker's files were damaged, so its queue began empty; nothing is lost. They are kept in {folder}."
