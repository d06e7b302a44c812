"""`memo pause` and `memo resume`."""

from typing import Annotated

import typer

from cli.terminal.durations import parse_duration
from cli.terminal.output import print_text
from memo.clock import pauses
from memo.core.errors import UsageError
from memo.core.paths import Home
from memo.stack import running


def pause(
    span: Annotated[
        str, typer.Argument(metavar="DURATION", help="Such as 90s, 30m, 2h or 1d; else until `memo resume`.")
    ] = "",
) -> None:
    """Stop recording for a while.

    Nothing that you do meanwhile is ever stored, not even later from a browser's history.

    Example: `memo pause 30m`
    """
    duration = parse_duration(span) if span else None
    if span and not duration:
        raise UsageError(f"{span!r} is not a duration; write for example 90s, 30m, 2h or 1d.")
    begun = pauses.begin(Home.find(), duration)
    end = f" until {begun.until.astimezone():%Y-%m-%d %H:%M:%S}" if begun.ends else ""
    print_text(f"Recording is paused{end}; `memo resume` ends the pause.")


def resume() -> None:
    """Resume recording."""
    home = Home.find()
    was_paused = pauses.current(home) is not None
    pauses.end(home)
    state = "" if running.holder(home) else " MEMO is not running; `memo up` starts it."
    print_text(f"{'The pause has ended.' if was_paused else 'Recording was not paused.'}{state}")
