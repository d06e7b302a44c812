"""How a prediction looks on a terminal: functions from messages to lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rich.text import Text

from memo.core.events import Action
from memo.core.grammar import Language
from memo.core.predictions import action_from_dict
from memo.display.text import describe, safe, short

SHOWN = 3  # candidates
WIDE = 120  # columns from which the candidates are shown beside the event, not below it
TIME = 10  # columns of the time, with the space behind it
MARK = 5  # columns of the mark, with the space behind it
EVENT_SHARE = 0.36  # of the remaining columns
RANKS = (1, 3, 5)  # of the hit rates


WasSeen = Callable[[dict[str, Any]], bool]
"""Whether the action of a message's event happened before it."""


def always_seen(_message: dict[str, Any]) -> bool:
    """Say that nothing is new, where nobody can tell."""
    return True


class ShownEvent(NamedTuple):
    """An event, and the mark that says whether it had been predicted."""

    text: str
    action: dict[str, str]
    mark: Text


@dataclass
class Tally:
    """Counts of what was shown of a scope."""

    was_seen: WasSeen = always_seen
    language: Language = "en"
    events: int = 0
    rejected: int = 0
    predictions: int = 0
    settled: int = 0
    hits: dict[int, int] = field(default_factory=lambda: dict.fromkeys(RANKS, 0))
    model: str = ""
    place: tuple[str, str] | None = None  # of the last act that was shown
    _shown: set[Action] = field(default_factory=set)

    def take(self, message: dict[str, Any]) -> Text:
        """Count a message and return the mark that says whether its event had been predicted."""
        self.predictions += 1
        self.model = message["model"]
        for outcome in message["settled"]:
            self.add_rank(outcome["rank"])
        action = action_from_dict(message["event"]["action"])
        is_repeated = action in self._shown
        self._shown.add(action)
        return _mark(message, lambda: not is_repeated and not self.was_seen(message), self.language)

    def add_rank(self, found: int | None) -> None:
        """Count an outcome and its rank."""
        self.settled += 1
        for rank in RANKS:
            self.hits[rank] += found is not None and found <= rank


def _mark(message: dict[str, Any], is_new: Callable[[], bool], language: Language) -> Text:
    """Return the mark of the newest prediction whose outcome is this event; empty if there is none."""
    ranks = [outcome["rank"] for outcome in message["settled"] if outcome["text"] == message["event"]["text"]]
    if not ranks:
        return Text()
    if ranks[-1] is not None:
        return Text(f"✓ {ranks[-1]}", "green")
    return Text(describe("new", language), "yellow") if is_new() else Text("✗", "red")


def header(width: int, language: Language) -> Text:
    """Return the headings of the columns."""
    event, beside = _divide(width)
    columns = {"time": TIME, "rank": MARK, "what happened": event, "what comes next, most likely first": beside}
    return Text.assemble(*(cell(describe(name, language), cells, "dim") for name, cells in columns.items() if cells))


def _divide(width: int) -> tuple[int, int]:
    """Return the columns of the event, and of what is shown beside it; 0 if that is shown below."""
    rest = width - TIME - MARK
    event = int(rest * EVENT_SHARE) if width >= WIDE else rest
    return event, rest - event


def lines(message: dict[str, Any], mark: Text, width: int, language: Language) -> list[Text]:
    """Return a message as one line of `width` cells, or as two lines if the width is small."""
    event = ShownEvent(message["event"]["text"], message["event"]["action"], mark)
    return event_lines([event], width, lambda left: _candidates(message, left, language))


def event_lines(events: Sequence[ShownEvent], width: int, next_of: Callable[[int], Text]) -> list[Text]:
    """Return a line of `width` cells for each event, the last with what comes next beside it or, if narrow, below it.

    `next_of` returns what comes next in a number of columns.
    """
    event, beside = _divide(width)
    found = [
        Text.assemble(
            cell(one.text[11:19], TIME, "dim"), cell(one.mark, MARK), cell(one.text.partition(" - ")[2], event)
        )
        for one in events
    ]
    if beside:
        found[-1].append_text(next_of(beside))
    else:
        found.append(Text.assemble(" " * (TIME + MARK), next_of(event)))
    return found


def _candidates(message: dict[str, Any], width: int, language: Language) -> Text:
    named = [(one["probability"], short(action_from_dict(one["action"]), language)) for one in message["candidates"]]
    return likeliest(named, width, language)


def likeliest(named: Sequence[tuple[float, str]], width: int, language: Language) -> Text:
    """Return the first few of these probabilities and names, sorted by probability, side by side."""
    if not named:
        return cell(describe("no prediction yet", language), width, "dim")
    styles = ("cyan", *["dim"] * (SHOWN - 1))
    shown = zip(named, styles, strict=False)
    return Text.assemble(*(cell(f"{p:3.0%} {name}", width // SHOWN, style) for (p, name), style in shown))


def cell(text: str | Text, width: int, style: str = "") -> Text:
    """Return the text in exactly `width` cells, the last one empty."""
    filled = text.copy() if isinstance(text, Text) else Text(safe(text), style)
    filled.truncate(width - 1, overflow="ellipsis", pad=True)
    return filled.append(" ")


def status(tally: Tally, width: int) -> Text:
    """Return the status line."""
    language = tally.language
    rates = [f"hit@{rank} {hits / tally.settled:.0%}" if tally.settled else "" for rank, hits in tally.hits.items()]
    parts = [
        f"{describe('events', language)} {tally.events}",
        f"{describe('rejected lines', language)} {tally.rejected}" if tally.rejected else "",
        f"{describe('predictions', language)} {tally.predictions}",
        *rates,
        tally.model and f"{describe('model', language)} {tally.model}",
    ]
    line = Text(safe("  ".join(part for part in parts if part)), "bold")
    line.truncate(width - 1, overflow="ellipsis")
    return line
