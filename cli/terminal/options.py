"""Options that several commands have, with the question that --yes answers, and how others are made."""

from functools import partial
from typing import Annotated, Any

import typer

from memo.core.errors import MemoError, UsageError

option = partial(typer.Option, show_default=False)
argument = partial(typer.Argument, show_default=False)
SCOPE = "a person at a machine, a folder of the inbox, or a replay"


def scope_option(words: str) -> Any:
    """Return an option that names a scope; its help says what a scope is, after these words."""
    return option(metavar="USER@HOST", help=f"{words}: {SCOPE}.")


def flag(name: str, words: str) -> Any:
    """Return an option that is off unless it is given."""
    return typer.Option(name, help=words)


Json = Annotated[bool, flag("--json", "Print JSON instead of text.")]
Yes = Annotated[bool, flag("--yes", "Do not ask for confirmation.")]
Force = Annotated[bool, flag("--force", "Overwrite an existing file.")]


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
