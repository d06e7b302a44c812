"""`memo predict --stream`: a filter with one JSON object per line, which keeps its state in memory."""

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from memo.core.errors import MemoError, UsageError
from memo.core.events import Event, Operation
from memo.core.grammar import Language, clean, language_of, parse, write
from memo.core.predictions import Ranking
from memo.core.settings import Settings
from memo.protocols import Predictor

MAX_UPCOMING = 50
MAX_WINDOW = 1_000  # events kept to see whether a window is the end of the stream


class PredictStream:
    """A stream of events that is learned and predicted from.

    Each event is predicted before it is learned, so that weights learn from the outcome of every event.
    """

    def __init__(
        self,
        make: Callable[[], Predictor],
        model: str,
        settings: Settings,
        top: int,
        degraded: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self._make, self._model, self._settings, self._top, self._degraded = make, model, settings, top, degraded
        self._zone = settings.zone
        self._predictor = make()
        self._past: deque[Event] = deque(maxlen=MAX_WINDOW)
        self._ranked = False

    def learn(self, given: str | Mapping[str, Any]) -> None:
        """Learn an event, given as a line or an object. Raises MemoError if it is neither."""
        event = self._read(given)
        if self._past and not self._ranked:
            self._predictor.predict(list(self._past)[-self._settings.window.size :], 0)
        self._predictor.learn(event)
        self._past.append(event)
        self._ranked = False

    def answer(self, window: Sequence[str | Mapping[str, Any]]) -> dict[str, Any]:
        """Return the answer to a window; one that is not the end of the stream is answered from its own lines alone.

        Raises MemoError if the window can't be read.
        """
        if isinstance(window, str) or not isinstance(window, Sequence) or not window:
            raise UsageError("a window is a list of at least one event line")
        began = time.perf_counter()
        events = [self._read(given) for given in window]
        ranking = self._rank(events)
        language = next((found for line in window if isinstance(line, str) and (found := language_of(line))), None)
        answer = as_answer(ranking, events[-1].at, language or self._settings.language) | self._degraded()
        return answer | {"model": self._model, "latency_ms": round((time.perf_counter() - began) * 1e3, 3)}

    def _rank(self, events: Sequence[Event]) -> Ranking:
        if len(events) <= len(self._past) and events == list(self._past)[-len(events) :]:
            self._ranked = True
            return self._predictor.predict(events, self._top)
        fresh = self._make()
        for event in events:
            fresh.learn(event)
        return fresh.predict(events, self._top)

    def _read(self, given: str | Mapping[str, Any]) -> Event:
        if isinstance(given, str):
            return parse(given, self._zone)
        if not isinstance(given, Mapping):
            raise UsageError("an event is a line or an object")
        try:
            at = datetime.fromisoformat(given["at"])
            fields = {name: clean(given.get(name, "")) for name in ("target", "app", "detail", "executable")}
            event = Event(at if at.tzinfo else at.replace(tzinfo=self._zone), Operation(given["operation"]), **fields)
            parse(write(event, "en"), self._zone)  # an event without a line can't be a candidate
        except (KeyError, TypeError, ValueError, StopIteration) as error:
            raise UsageError("an event object needs `at` (ISO 8601), `operation` and a suitable `target`") from error
        return event


def as_degraded(problem: str, replaced: str) -> dict[str, str]:
    """Return the field of an answer that says why it is worse than usual; nothing if all is well.

    `problem` is that of the language model, `replaced` why a version could not serve.
    """
    alone = f"History alone answers, without the language model: {problem}" if problem else ""
    return {"degraded": " ".join(filter(None, (replaced, alone)))} if replaced or alone else {}


def as_answer(ranking: Ranking, at: datetime, language: Language) -> dict[str, Any]:
    """Return a ranking as JSON; `at` is the time of the newest event of the window."""
    return {
        "candidates": [candidate.as_dict(language) for candidate in ranking.candidates],
        "upcoming": [entry.as_dict(language, at) for entry in ranking.upcoming[:MAX_UPCOMING]],
        "new_probability": round(ranking.new_probability, 6),
        "places": [place.as_dict() for place in ranking.places],
        "new_place": round(ranking.new_place, 6),
        "person": [action.as_dict(language, at) for action in ranking.person],
    }


def stream_answers(stream: PredictStream, lines: Iterable[bytes]) -> Iterator[str]:
    """Yield one line of JSON for each window, and for each line that can't be read."""
    for line in lines:
        try:
            answer = _answer(stream, json.loads(line))
        except MemoError as error:
            answer = {"error": str(error)}
        except OverflowError:
            answer = {"error": "the time of the line is too far from the present"}
        except (ValueError, RecursionError):
            answer = {"error": "the line is not JSON"}
        if answer is not None:
            yield json.dumps(answer, ensure_ascii=False)


def _answer(stream: PredictStream, given: Any) -> dict[str, Any] | None:
    if isinstance(given, dict) and "event" in given:
        stream.learn(given["event"])
        return None
    if isinstance(given, dict) and "window" in given:
        return stream.answer(given["window"])
    raise UsageError('the line is neither {"event": …} nor {"window": […]}')
