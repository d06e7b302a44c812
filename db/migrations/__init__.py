"""The schema's migrations, run by `db.migrate`.

One that takes long in a large store does a part of its work, and raises Unfinished: what it did is committed, and it
is called again. It sees in the store what is left, so that it goes on after a Ctrl-C or the loss of power, too.
"""

BATCH_S = 0.05  # after which a part of the work is committed


class Unfinished(Exception):
    """A migration has done `done` of `total` steps."""

    def __init__(self, done: int, total: int) -> None:
        super().__init__(done, total)
        self.done, self.total = done, total
