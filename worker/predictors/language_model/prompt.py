"""Readers of one stream: what the language model has read of it, and what it says comes next."""

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from memo.core.events import Event
from worker.predictors.language_model.label_coding import Coder, Vocabulary
from worker.predictors.reader import Scores

CONTEXT_TOKENS = 1024  # a reader starts a new context beyond this; training's chunks are as long
RESTART_EVENTS = 128  # most recent events that a new context begins with
RESTART_TOKENS = 640  # most tokens that these events may take
PART_TOKENS = 16  # fed at once in the background: an answer waits for one part at most


class CausalModel(Protocol):
    """A causal language model with adapters."""

    words: Vocabulary
    is_quick: bool = False
    """Whether it reads as many tokens as are fed at once within milliseconds."""

    @abstractmethod
    def new_cache(self) -> Any:
        """Return the cache of a context that the model has read nothing of."""

    @abstractmethod
    def next(self, tokens: Sequence[int], cache: Any, columns: Sequence[int], version_id: str | None) -> list[float]:
        """Feed tokens after those in `cache`; return log-probabilities of the tokens `columns` after the last one."""


class Prompt:
    """A stream's tokens as one context, with the key-value cache of those that the model has read."""

    def __init__(self, language: CausalModel, version_id: str | None, events: Sequence[Event] = ()) -> None:
        self._language, self._version = language, version_id
        self._coder = Coder(language.words)
        self._tokens: list[int] = []
        self._cache = language.new_cache()
        self._fed = 0
        self._log_probabilities: list[float] = []
        for event in events:
            self.write(event)

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def unfed(self) -> int:
        """How many tokens the model has not read."""
        return len(self._tokens) - self._fed

    @property
    def lacks_labels(self) -> bool:
        """Whether no label is left for something new."""
        return self._coder.full

    def write(self, event: Event) -> None:
        """Add the next event."""
        self._tokens.extend(self._coder.write(event).tokens)

    def feed(self, most: int) -> None:
        """Have the model read up to `most` of the tokens that it has not read."""
        tokens = self._tokens[self._fed : self._fed + most]
        if tokens:
            columns = self._coder.columns[: len(self._coder.actions) + 1]
            self._log_probabilities = self._language.next(tokens, self._cache, columns, self._version)
            self._fed += len(tokens)

    def scores(self) -> Scores:
        """Return the scores of what comes next; empty before the first event."""
        if not self._tokens:
            return Scores()
        self.feed(self.unfed)
        new, *known = self._log_probabilities
        return Scores(dict(zip(self._coder.actions, known, strict=True)), new)


class ModelReader:
    """A reader of one stream: only new tokens are computed.

    When a context is full, another one begins with the most recent events; that depends on the stream alone. The new
    one answers at once, or, if the reader `prepares`, as soon as `prepare` has fed it; until then the full one goes on.
    """

    def __init__(self, language: CausalModel, version_id: str | None, prepares: bool = False) -> None:
        self._language, self._version, self._prepares = language, version_id, prepares
        self._recent: deque[Event] = deque(maxlen=RESTART_EVENTS)
        self._prompts = [Prompt(language, version_id)]  # the newest last; one before it is full, and still answers

    def read(self, event: Event) -> None:
        """Add the next event to the context; cheap, for the model runs only in `scores` and `prepare`."""
        if self._is_full(self._prompts[-1]):
            self._prompts = [self._prompts[-1], self._begin()]
        self._prompts = [prompt for prompt in self._prompts if not prompt.lacks_labels]
        self._recent.append(event)
        for prompt in self._prompts:
            prompt.write(event)

    def _is_full(self, prompt: Prompt) -> bool:
        return prompt.lacks_labels or len(prompt) > CONTEXT_TOKENS

    def _begin(self) -> Prompt:
        """Return a new context of the most recent events."""
        events = list(self._recent)
        prompt = Prompt(self._language, self._version, events)
        while len(events) > 1 and (len(prompt) > RESTART_TOKENS or prompt.lacks_labels):
            events = events[-(len(events) * 3 // 4) :]
            prompt = Prompt(self._language, self._version, events)
        return prompt

    @property
    def lags(self) -> bool:
        """Whether there is more for `prepare` to feed."""
        return self._prompts[-1].unfed > 0

    def prepare(self) -> None:
        """Feed a part of the newest context."""
        self._prompts[-1].feed(PART_TOKENS)

    @property
    def is_quick(self) -> bool:
        """Whether `scores` takes milliseconds at most."""
        return self._language.is_quick and self._answering().unfed <= PART_TOKENS

    def scores(self) -> Scores:
        """Return the scores of what comes next; empty before the first event."""
        answering = self._answering()
        self._prompts = self._prompts[self._prompts.index(answering) :]
        return answering.scores()

    def _answering(self) -> Prompt:
        """Return the context that answers: the full one while the newest is not prepared."""
        full, newest = self._prompts[0], self._prompts[-1]
        is_prepared = not self._prepares or newest.unfed <= max(PART_TOKENS, full.unfed)
        return newest if is_prepared else full
