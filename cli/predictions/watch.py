"""`memo watch`, and the live view of `memo up --foreground`."""

import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.predictions.watch_person import act_lines, first_hit, folded_line, take_acts
from cli.predictions.watch_state import changes_told
from cli.predictions.watch_view import SHOWN, Tally, WasSeen, always_seen, header, lines, status
from cli.terminal.options import Json, flag, option, scope_option
from cli.terminal.output import discard_output, print_json, print_line
from data.importers import rejects
from db.store_access import read_session
from memo.client import subscribe
from memo.core.errors import MemoError
from memo.core.grammar import Language
from memo.core.paths import Home
from memo.core.predictions import action_from_dict
from memo.core.settings import Settings
from memo.display.text import describe

PLAIN_WIDTH = 160  # columns if the output is no terminal
MAX_WIDTH = 200
REFRESHES = 2  # of the status line per second
RETRY_S = 0.5


def watch(
    as_json: Json = False,
    shows_all: Annotated[
        bool, flag("--all", "Show every event and the likeliest next events, not only what you do.")
    ] = False,
    scope: Annotated[str | None, scope_option("Only predictions of this scope")] = None,
    after: Annotated[
        int | None, option(metavar="ID", min=0, help="Begin with the stored predictions after this one.")
    ] = None,
) -> None:
    """Show what you do and what you probably do next, as it happens, until Ctrl-C.

    Each line is something that you did; ✓ and the rank say that its app, site or folder had been predicted. The
    likeliest places to go next follow, each with the likeliest thing there. With --json, each line is one prediction in
    the form that other programs get; see docs/subscribe.md.
    """
    settings = Settings.load()
    screen = LiveScreen(settings.language, partial(_was_seen, settings), shows_all)
    screen.scope = settings.scope
    told = nullcontext() if as_json else changes_told(Home.find(), settings, screen.tell)
    try:
        with told:
            for message in subscribe(after=after):
                if scope is None or message["scope"] == scope:
                    (print_json if as_json else screen.show)(message)
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        discard_output()


def _was_seen(settings: Settings, message: dict[str, Any]) -> bool:
    """Return whether the action of a message's event had happened before; True if the store does not tell."""
    from db.intake import events

    at, action = datetime.fromisoformat(message["event"]["at"]), action_from_dict(message["event"]["action"])
    with suppress(MemoError), read_session(settings, Home.find()) as session:
        return session is None or events.has_action(session, message["scope"], action, before=at)
    return True


def live(home: Home, settings: Settings, stop: threading.Event) -> None:
    """Show events and predictions until `stop` is set, through restarts of the broker."""
    from db.engine import open_store
    from db.intake import counts
    from db.upkeep import figures

    with closing(open_store(settings, home)) as store:  # not read-only: if closed last, it empties the log
        with store.read() as session:
            newest, before = figures.find_newest_id(session), counts.count_by_scope(session)
        has_hit = before.get(settings.scope, {}).get(f"place_{SHOWN}", 0) > 0
        screen, rejected_before = LiveScreen(settings.language), rejects.count(home.rejects)
        screen.scope, screen.awaits_hit_of = settings.scope, "" if has_hit else settings.scope

        def count(scope: str) -> tuple[int, int]:
            with store.read() as session:
                now = counts.count_by_scope(session)
            events, known = (found.get(scope, {}).get("events", 0) for found in (now, before))
            return max(events - known, 0), rejects.count(home.rejects) - rejected_before

        with screen.status_line(count), changes_told(home, settings, screen.tell):
            for message in _messages(newest, stop):
                screen.show(message)


def _messages(after: int, stop: threading.Event) -> Iterator[dict[str, Any]]:
    """Yield all messages; wait for a broker that does not answer."""
    while not stop.is_set():
        try:
            for message in subscribe(after=after, stop=stop):
                yield message
                after = max(after, message["id"])
        except MemoError:
            stop.wait(RETRY_S)


class LiveScreen:
    """Scrolling lines: in colour with a status line below on a terminal, else plain."""

    def __init__(self, language: Language, was_seen: WasSeen = always_seen, shows_all: bool = False) -> None:
        self._language, self._shows_all = language, shows_all
        self._folded, self._last_folded = 0, ""  # number of other events since the last act, text of the last one
        self._tallies = defaultdict[str, Tally](partial(Tally, was_seen, language))  # by scope
        self._begun = False
        self._counted = ""  # scope of the last message, whose tally stands below the lines
        self.scope: str | None = None  # of the lines above, so that a change is named; None: it is not
        self.awaits_hit_of = ""  # scope whose first hit is named, as it had none before
        self._terminal = Console(highlight=False, markup=False, emoji=False) if sys.stdout.isatty() else None
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a title may hold letters that the encoding lacks

    def show(self, message: dict[str, Any]) -> None:
        """Print a message."""
        self._counted = message["scope"]
        found = self._lines(message)
        head = [] if self._begun or not found else [header(self._width(), self._language)]
        self._begun = self._begun or bool(found)
        if found and self.scope not in (None, message["scope"]):
            self.scope = message["scope"]
            self.tell(f"{describe('scope', self._language)}: {self.scope}")
        self._print([*head, *found])
        if message["scope"] == self.awaits_hit_of and (hit := first_hit(message, self._language)):
            self.awaits_hit_of = ""
            self._print([hit])

    def tell(self, state: str) -> None:
        """Print a line about MEMO itself."""
        self._print([Text(f"MEMO: {state}")])

    def _print(self, shown: list[Text]) -> None:
        for line in shown:
            line.rstrip()
            if self._terminal:
                self._terminal.print(line)
            else:
                print_line(line.plain)

    def _width(self) -> int:
        return min(self._terminal.width, MAX_WIDTH) if self._terminal else PLAIN_WIDTH

    def _lines(self, message: dict[str, Any]) -> list[Text]:
        tally, width = self._tallies[message["scope"]], self._width()
        if self._shows_all:
            return lines(message, tally.take(message), width, self._language)
        acts = take_acts(message, tally)
        if not acts:
            self._folded, self._last_folded = self._folded + 1, message["event"]["text"]
            return []
        return [*self._unfold(), *act_lines(message, acts, width, self._language)]

    def _unfold(self) -> list[Text]:
        folded, self._folded = self._folded, 0
        return [folded_line(folded, self._last_folded, self._width(), self._language)] if folded else []

    @contextmanager
    def status_line(self, count: Callable[[str], tuple[int, int]]) -> Iterator[None]:
        """Keep the tally of the scope of the last line below the lines; without a terminal, print it once at the end.

        `count` returns the number of events of a scope and of rejected lines.
        """

        def line() -> Text:
            scope = self._counted or self.scope or ""
            tally = self._tallies[scope]
            with suppress(MemoError):  # keep the last count while the store does not answer
                tally.events, tally.rejected = count(scope)
            return status(tally, self._terminal.width if self._terminal else PLAIN_WIDTH)

        if self._terminal:
            with Live(console=self._terminal, get_renderable=line, refresh_per_second=REFRESHES):
                yield
                self._print(self._unfold())
        else:
            yield
            self._print(self._unfold())
            print_line(line().plain)
