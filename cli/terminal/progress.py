"""Progress on standard error: a bar with the time left, or a spinner."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from memo.core.steps import Progress

if TYPE_CHECKING:
    from rich.status import Status


@contextmanager
def progress_bar(words: str) -> Iterator[Progress]:
    """Show a progress bar; yield the function that moves it."""
    from rich import progress as bars
    from rich.console import Console

    columns = ("{task.description}", bars.BarColumn(), bars.MofNCompleteColumn(), bars.TimeRemainingColumn())
    with bars.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(words, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def late_progress_bar(words: str) -> Iterator[Progress]:
    """Show a progress bar from its first move on, if there is anything to do; yield the function that moves it."""
    with ExitStack() as shown:
        bars: list[Progress] = []

        def move(done: int, total: int) -> None:
            if not bars and total:
                bars.append(shown.enter_context(progress_bar(words)))
            for bar in bars:
                bar(done, total)

        yield move


def spinner(words: str) -> "Status":
    """Return a context manager that shows the words beside a spinner; without a terminal it shows nothing."""
    from rich.console import Console

    return Console(stderr=True).status(words)
