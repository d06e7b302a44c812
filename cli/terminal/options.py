"""Options that several commands have, and how options and arguments without a default are made."""

from functools import partial
from typing import Annotated

import typer

option = partial(typer.Option, show_default=False)
argument = partial(typer.Argument, show_default=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]
