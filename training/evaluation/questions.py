"""The questions of an evaluation: windows in order of time, each with the event that followed it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from data import importers
from data.windows import WindowedPair, feed
from memo.core.errors import GrammarError, MemoError
from memo.core.events import Event
from memo.core.grammar import Language, language_of, parse, write


@dataclass(frozen=True, slots=True)
class Question:
    """A window, the event that followed it, and the events that are new since the previous question."""

    new: Sequence[Event]
    window: Sequence[Event]
    output: Event
    prompt: str  # the window's lines
    reference: str  # the output's line
    language: Language


def from_file(path: Path, zone: tzinfo, size: int, language: Language) -> list[Question]:
    """Return the questions of a file of windows or of events. Raises MemoError if it has none."""
    if importers.form(path) == "json":
        questions = list(from_windows(importers.read_windows(path), zone))
    else:
        questions = from_events(importers.events(path, zone), size, language)
    if not questions:
        raise MemoError(f"{path} holds no window followed by an event; give a file of windows or of event lines.")
    return questions


def from_windows(windows: Sequence[WindowedPair], zone: tzinfo) -> Iterator[Question]:
    """Yield a question for each window with a readable line and a readable output; unreadable lines are skipped."""
    waiting: list[Event] = []
    for fed in feed(windows):
        waiting += _read(fed.new, zone)
        window, output = _read(fed.inputs, zone), _read([fed.output], zone)
        if window and output:
            language = language_of(fed.output) or "en"
            yield Question(waiting, window, output[0], "\n".join(fed.inputs), fed.output, language)
            waiting = []
        else:
            waiting += output


def _read(lines: Sequence[str], zone: tzinfo) -> list[Event]:
    events = []
    for line in lines:
        with suppress(GrammarError):
            events.append(parse(line, zone))
    return events


def from_events(events: Sequence[Event], size: int, language: Language) -> list[Question]:
    """Return a question for each event after the first `size`."""
    lines = [write(event, language) for event in events]
    return [
        Question(
            events[:end] if end == size else (),
            events[end - size : end],
            events[end],
            "\n".join(lines[end - size : end]),
            lines[end],
            language,
        )
        for end in range(size, len(events))
    ]


def stream(questions: Sequence[Question]) -> list[Event]:
    """Return all events of the questions, in order."""
    return [event for question in questions for event in (*question.new, question.output)]
