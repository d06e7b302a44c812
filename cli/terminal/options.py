"""Options that several commands have, and how flags, and options and arguments without a default, are made."""

from functools import partial
from typing import Annotated, Any

import typer

option = partial(typer.Option, show_default=False)
argument = partial(typer.Argument, show_default=False)
scope_option = partial(option, metavar="USER@HOST")


def flag(name: str, words: str) -> Any:
    """Return an option that is off unless it is given."""
    return typer.Option(name, help=words)


Json = Annotated[bool, flag("--json", "Print JSON instead of text.")]
Yes = Annotated[bool, flag("--yes", "Do not ask for confirmation.")]
Force = Annotated[bool, flag("--force", "Overwrite an existing file.")]
