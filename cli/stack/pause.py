"""`memo pause` and `memo resume`."""

from datetime import timedelta
from typing import Annotated

import typer

from memo.core import pauses
from memo.core.durations import parse_duration
from memo.core.errors import UsageError
from memo.core.paths import Home


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
    if not (span := parse_duration(text)):
        raise UsageError(f"{text!r} is no span of time; write for example 90s, 30m, 2h or 1d.")
    return span


def resume() -> None:
    """Take in events again."""
    pauses.end(Home.find())
    print("MEMO takes in events again.")
