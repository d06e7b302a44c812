"""`memo ui`: open the page."""

import os
import webbrowser
from typing import Annotated

from cli.terminal.options import flag
from cli.terminal.output import print_line
from memo.core.paths import Home
from ui.link import make_link


def ui(
    only_print: Annotated[bool, flag("--print", "Only print the link; open no browser.")] = False,
) -> None:
    """Open the page that shows what you do, what comes next, and what is stored; print its link.

    The link works once, and only for you on this machine. The page's process ends after ten minutes without use.
    """
    link = make_link(Home.find())
    print_line(link)
    if not only_print and (os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")):
        webbrowser.open(link)
