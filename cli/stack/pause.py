"""`memo pause` and `memo resume`."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from memo.core import pauses
from memo.core.errors import UsageError
from memo.core.paths import Home

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def pause(
    span: Annotated[str, typer.Argument(metavar="30m", help="For so long; else until `memo resume`.")] = "",
) -> None:
    """Take in nothing for a while; what happens meanwhile is never stored, not even afterwards.

    Example: `memo pause 30m`, or 90s, 2h, 1d
    """
    home = Home.find()
    made = pauses.begin(home, _span(span) if span else None)
    ends = f" until {made.until.astimezone():%Y-%m-%d %H:%M:%S}" if made.ends else ""
    print(f"MEMO is paused{ends}; `memo resume` ends it.")


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,3})([smhd])", text)
    if not found:
        raise UsageError(f"{text!r} is no span of time; write for example 90s, 30m, 2h or 1d.")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def resume() -> None:
    """Take in events again."""
    pauses.end(Home.find())
    print("MEMO takes in events again.")
