"""How a wait is passed: a bar with the time left, or words that turn; on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.status import Status


Progress = Callable[[int, int], None]
"""Is called with what is done and what there is to do."""


@contextmanager
def progress_bar(words: str) -> Iterator[Progress]:
    """Gives what is to be called with what is done and what there is to do."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(words, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def spinner(words: str) -> "Status":
    """Shows the words beside something that turns; nothing where there is no terminal."""
    from rich.console import Console

    return Console(stderr=True).status(words)
