"""The mark that the store is damaged. Whatever finds the damage sets it; the stack then ends and writes no more."""

from contextlib import suppress

from memo.core.files import write_atomically
from memo.core.paths import Home

GONE = "its file is gone"
REMEDY = "run `memo down`, then `memo restore`"


def mark(home: Home, damage: str) -> None:
    """Set the mark if there is damage, else remove it."""
    if damage:
        with suppress(OSError):  # as on a full disk; what found the damage says it all the same
            write_atomically(home.store_damage, damage)
    else:
        home.store_damage.unlink(missing_ok=True)


def find_marked(home: Home) -> str:
    """Return a sentence about the damage that was found in the store; "" if none was."""
    try:
        return f"The store is damaged ({home.store_damage.read_text()}); {REMEDY}."
    except FileNotFoundError:
        return ""
