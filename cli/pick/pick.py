"""`memo pick`: go to one of the likeliest next things."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.terminal.options import Json
from cli.terminal.output import print_json, print_text
from cli.terminal.store_access import read_session
from cli.terminal.text import safe
from memo.core.errors import MemoError
from memo.core.events import Operation
from memo.core.paths import Home
from memo.core.predictions import action_as_dict
from memo.core.settings import Settings

if TYPE_CHECKING:
    from cli.pick.choices import Choice, Offer


def pick(
    prints: Annotated[bool, typer.Option("--print", help="Print the list, one thing a line.")] = False,
    as_json: Json = False,
) -> None:
    """Show the eight likeliest next things.

    The first line is the place where you were before, the others are what you most likely want next: windows, apps,
    sites and files. What is in use is left out, and so is what the privacy rules exclude.
    """
    offer = _find_offer(Settings.load(), Home.find())
    if as_json:
        print_json([_as_dict(line, choice) for line, choice in enumerate(offer.choices, 1)])
        return
    for choice in offer.choices:
        print_text(label(choice))


def _find_offer(settings: Settings, home: Home) -> "Offer":
    from cli.pick.choices import make_offer

    with read_session(settings, home) as session:
        if session is None:
            raise MemoError("There is no store yet; start MEMO with `memo up`.")
        return make_offer(session, settings, home)


def _as_dict(line: int, choice: "Choice") -> dict[str, Any]:
    action = action_as_dict(choice.action)
    return {"line": line, "text": label(choice), "action": action, "probability": choice.probability}


def label(choice: "Choice") -> str:
    """Return the line of a choice: an app with its window's title, a site, a file with its folder."""
    action = choice.action
    if action.operation is Operation.FILE_ACCESS:
        return safe(f"{action.target} ({action.place})")
    return safe(": ".join(filter(None, (action.place, action.target))))
