"""Questions before something that cannot be undone."""

import typer

from memo.core.errors import MemoError, UsageError


def confirm(question: str, done: str, does: str) -> bool:
    """Return True if the answer is yes; raise MemoError if it is no, and UsageError if nobody answers.

    The errors say that nothing was `done`, and that --yes `does` it without asking.
    """
    try:
        is_agreed = typer.confirm(question, err=True)
    except typer.Abort as nobody:
        raise UsageError(f"Nobody answered, so nothing was {done}; --yes {does} without asking.") from nobody
    if not is_agreed:
        raise MemoError(f"Nothing was {done}.")
    return True
