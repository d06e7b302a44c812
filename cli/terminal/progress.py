"""Progress on standard error: a bar with the time left, or a spinner."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.status import Status

Progress = Callable[[int, int], None]  # takes the steps done and the steps in all


@contextmanager
def progress_bar(words: str) -> Iterator[Progress]:
    """Show a progress bar; yield the function that moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(words, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def spinner(words: str) -> "Status":
    """Return a context manager that shows the words beside a spinner; without a terminal it shows nothing."""
    from rich.console import Console

    return Console(stderr=True).status(words)
