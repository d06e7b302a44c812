"""The schema's migrations, run by `db.migrate`.

One that takes long in a large store does a part of its work, and raises Unfinished: what it did is committed, and it
is called again. It sees in the store what is left, so that it goes on after a Ctrl-C or the loss of power, too.
"""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
BATCH_S = 0.05  # after which a part of the work is committed


class Unfinished(Exception):
    """A migration has done `done` of `total` steps."""

    def __init__(self, done: int, total: int) -> None:
        super().__init__(done, total)
        self.done, self.total = done, total


@cache
def revisions() -> list[str]:
    """Return the schema's revisions, the first one first, with which the names of their files begin."""
    return sorted(path.name.partition("_")[0] for path in FOLDER.glob("versions/*.py"))


def head() -> str:
    """Return the schema revision that this program was written for."""
    return revisions()[-1]
