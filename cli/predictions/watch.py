"""`memo watch`, and the live view of `memo up --foreground`."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.predictions.watch_view import ShownPrediction, Tally, header, lines, status
from cli.terminal.store_access import read_session
from cli.terminal.text import print_line, say_no_more
from data.importers import rejects
from memo.client import subscribe
from memo.core.errors import MemoError
from memo.core.grammar import Language
from memo.core.paths import Home
from memo.core.settings import Settings

PLAIN_WIDTH = 160
"""Columns where the output is no terminal."""
MAX_WIDTH = 200
REFRESHES = 2
"""Of the status line, each second."""
RETRY_S = 0.5


def watch(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    scope: Annotated[str | None, typer.Option(help="Only this one's predictions.", show_default=False)] = None,
    after: Annotated[
        int | None, typer.Option(metavar="ID", min=0, help="First those stored after this one.", show_default=False)
    ] = None,
) -> None:
    """Show each prediction as it is made, until Ctrl-C."""
    settings = Settings.load()
    screen = LiveScreen(settings.language, None if as_json else _known(settings, after))
    try:
        for message in subscribe(after=after):
            if scope is None or message["scope"] == scope:
                if as_json:
                    print(json.dumps(message), flush=True)
                else:
                    screen.show(message)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        say_no_more()


def _known(settings: Settings, after: int | None) -> set[ShownPrediction] | None:
    """The actions that are no news to who sees what comes after that prediction; None where no store says."""
    from db.upkeep import figures

    with suppress(MemoError), read_session(settings, Home.find()) as session:
        return {ShownPrediction(*action) for action in figures.find_known_actions(session, after)} if session else None
    return None


def live(home: Home, settings: Settings, stop: threading.Event) -> None:
    """Show what happens and what is predicted, until soon after `stop` is set; outlives restarts of the broker."""
    from db.engine import open_store
    from db.upkeep import figures

    store = open_store(settings, home)
    try:
        with store.read() as session:
            newest_event, newest = figures.find_newest_ids(session)
            known = {ShownPrediction(*action) for action in figures.find_known_actions(session)}
        screen, rejected_before = LiveScreen(settings.language, known), rejects.count(home.rejects)

        def count() -> tuple[int, int]:
            with store.read() as session:
                return figures.count_events_after(session, newest_event), rejects.count(home.rejects) - rejected_before

        with screen.status_line(count):
            for message in _outliving(home, settings, newest, stop):
                screen.show(message)
    finally:
        store.close()


def _outliving(home: Home, settings: Settings, after: int, stop: threading.Event) -> Iterator[dict[str, Any]]:
    """All messages; also where no broker answers at first."""
    from memo.stack.broker import broker_url

    while not stop.is_set():
        try:
            for message in subscribe(after=after, url=broker_url(home, settings), stop=stop):
                yield message
                after = max(after, message["id"])
        except MemoError:
            stop.wait(RETRY_S)


class LiveScreen:
    """Lines that scroll, on a terminal in colour with a status line below, else plain."""

    def __init__(self, language: Language, known: set[ShownPrediction] | None = None) -> None:
        self._language = language
        self._tally = Tally(known, language)
        self._begun = False
        self._terminal = Console(highlight=False, markup=False, emoji=False) if sys.stdout.isatty() else None
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a title in letters that it lacks

    def show(self, message: dict[str, Any]) -> None:
        """Add a message."""
        width = min(self._terminal.width, MAX_WIDTH) if self._terminal else PLAIN_WIDTH
        head = [] if self._begun else [header(width, self._language)]
        self._begun = True
        for line in [*head, *lines(message, self._tally.take(message), width, self._language)]:
            line.rstrip()
            if self._terminal:
                self._terminal.print(line)
            else:
                print_line(line.plain)

    @contextmanager
    def status_line(self, count: Callable[[], tuple[int, int]]) -> Iterator[None]:
        """Keep the tally below the lines, with events and rejects by `count`; without a terminal once, at the end."""

        def line() -> Text:
            with suppress(MemoError):  # a store that is away for a moment is no reason to stop
                self._tally.events, self._tally.rejected = count()
            return status(self._tally, self._terminal.width if self._terminal else PLAIN_WIDTH)

        if self._terminal:
            with Live(console=self._terminal, get_renderable=line, refresh_per_second=REFRESHES):
                yield
        else:
            yield
            print_line(line().plain)
