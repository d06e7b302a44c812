"""Questions of an evaluation: windows in the order of time, and what came after each."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any

from data.windows import WindowedPair, feed
from memo.core.errors import GrammarError, MemoError, UsageError
from memo.core.events import Event
from memo.core.grammar import Language, language_of, parse, write


@dataclass(frozen=True, slots=True)
class Question:
    """A window, the event that followed it, and the events that are new since the question before."""

    new: Sequence[Event]
    window: Sequence[Event]
    output: Event
    prompt: str
    """The window's lines."""
    reference: str
    """The output's line."""
    language: Language


def from_file(path: Path, zone: tzinfo, size: int, language: Language) -> list[Question]:
    """The questions of a file of windows, or of any file of events. Raises MemoError where there are none."""
    windows = pairs(path) if path.suffix == ".json" else None
    if windows is not None:
        questions = list(_from_pairs(windows, zone))
    else:
        from data.importers import events

        questions = from_events(list(events(path, zone)), size, language)
    if not questions:
        raise MemoError(f"{path} holds no window followed by an event; give a file of windows or of event lines.")
    return questions


def pairs(path: Path) -> list[WindowedPair] | None:
    """Lines and output line of each window of a JSON file, no output where none is given; None for other files."""
    try:
        rows: Any = json.loads(path.read_text(encoding="utf-8"))
        return [(row["input"].split("\n")[1:], row.get("output") or "") for row in rows]
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror}); name a file that is there.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _from_pairs(windows: Sequence[WindowedPair], zone: tzinfo) -> Iterator[Question]:
    """Lines that can't be read are passed over; so is a window that has none left, or whose output can't be read."""
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
        try:
            events.append(parse(line, zone))
        except GrammarError:
            continue
    return events


def from_events(events: Sequence[Event], size: int, language: Language) -> list[Question]:
    """A question for each event after the first `size`."""
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


def rejoin(questions: Sequence[Question], zone: tzinfo) -> list[Question]:
    """Some of the questions, in order, with `new` as if the others had never been."""
    return list(_from_pairs([(question.prompt.split("\n"), question.reference) for question in questions], zone))


def stream(questions: Sequence[Question]) -> list[Event]:
    """All events of the questions, in order."""
    return [event for question in questions for event in (*question.new, question.output)]
