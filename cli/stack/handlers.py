"""`memo handlers`: list the handlers, and whether each pays off."""

from typing import Any

from cli.terminal.options import Json
from cli.terminal.output import print_json, print_text
from memo.core.paths import Home
from memo.core.settings import Settings

COLUMNS = {"goes": "attempts", "dry": "dry", "hits": "hits", "waste": "waste"}
TITLES = "".join(f"{title:>9}" for title in (*COLUMNS.values(), "MB"))
HEAD = f"{'handler':17}{'state':9}{TITLES}{'saved':>11}{'balance':>11}"


def handlers(as_json: Json = False) -> None:
    """List the handlers, which act on predictions, and whether each pays off.

    A handler is on, off, missing (no installed package provides it), dry (its attempts are counted, but nothing is
    done), or resting because it did not pay off. An attempt whose prediction came true in time is a hit, else waste.
    The balance is the time saved minus the time spent; hits with an unknown saving are left out, and so is the same
    share of the waste.
    """
    from worker.dispatch.handler_list import COUNTS, list_handlers

    settings, home = Settings.load(), Home.find()
    found = list_handlers(home, settings)
    if as_json:
        print_json(found)
        return
    print(HEAD)
    for handler in found:
        figures = _as_columns(handler) if any(handler[name] for name in COUNTS) else ""
        print_text(f"{handler['name']:17}{handler['state']:9}{figures}  {handler['says']}".rstrip())


def _as_columns(handler: dict[str, Any]) -> str:
    counts = "".join(f"{handler[name]:>9}" for name in COLUMNS)
    return f"{counts}{handler['read_bytes'] / 1e6:>9.0f}{handler['saved_s']:>9.1f} s{handler['balance_s']:>+9.1f} s"
