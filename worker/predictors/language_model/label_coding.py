"""Label coding: an event stream as the tokens that a causal language model reads.

An action is spelled out once, at its first mention: `<new>`, its text, a label. From then on its label, one token,
stands for it. After each event comes its mark: the operation and the bucket of the gap before it. So the token before
an event never tells when that event came, and one softmax there, over the live labels and `<new>`, ranks all
candidates. Labels are dealt in the order of first mention; training deals them at random, so that a label means
nothing but "the same as before". (Scoring the text of the candidates instead would rank them by length.)
"""

import re
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from memo.core.errors import MemoError
from memo.core.events import ACTIONS, CONTEXT, Action, Event, Operation

GAP_EDGES_S = (1, 2, 5, 15, 60, 300)  # lower edges of the gap buckets 1 to 6, in seconds; bucket 0 is below
GAPS = len(GAP_EDGES_S) + 1
LABELS = 256  # a hub model has as many as its vocabulary yields, up to this number
FEWEST_LABELS = 64
PLACE_TOKENS = 4
TARGET_TOKENS = 8
TEXT_CHARACTERS = 48

NEW_TOKEN = "<new>"
LABEL_TOKENS = tuple(f"<{n}>" for n in range(LABELS))
MARK_TOKENS = {(operation, gap): f"<{operation.value} {gap}>" for operation in ACTIONS for gap in range(GAPS)}
RESERVED_TOKENS = (NEW_TOKEN, *LABEL_TOKENS, *MARK_TOKENS.values())
SHORT_TOKEN = re.compile("[Ġ▁][A-Z][A-Za-z]")  # a space (as byte-level BPE and SentencePiece write it) and two letters


def bucket(gap_s: float) -> int:
    """Return the bucket of a gap in seconds."""
    return bisect(GAP_EDGES_S, gap_s)


@dataclass(frozen=True)
class Vocabulary:
    """Token ids of the coding, one for each mark and label; `text` returns the ids of a text."""

    new: int
    labels: tuple[int, ...]
    marks: Mapping[tuple[Operation, int], int]
    text: Callable[[str], Sequence[int]]


def vocabulary(known: Mapping[str, int], encode: Callable[[str], Sequence[int]]) -> Vocabulary:
    """Return the coding for a tokenizer's tokens: its reserved tokens if it has them, else short known tokens.

    Short tokens are dealt from the highest id down: those are rare in titles. What they stand for is for the adapter
    to learn.
    """

    def text(words: str) -> Sequence[int]:
        return encode(words.encode("utf-8", "replace").decode("utf-8"))  # a title may hold half a surrogate pair

    if all(token in known for token in RESERVED_TOKENS):
        reserved = {mark: known[token] for mark, token in MARK_TOKENS.items()}
        return Vocabulary(known[NEW_TOKEN], tuple(known[token] for token in LABEL_TOKENS), reserved, text)
    short = sorted((number for token, number in known.items() if SHORT_TOKEN.fullmatch(token)), reverse=True)
    if len(short) < 1 + len(MARK_TOKENS) + FEWEST_LABELS:
        raise MemoError("The base model's vocabulary has no short words to serve as labels; choose another model.base.")
    marks = dict(zip(MARK_TOKENS, short[1:], strict=False))
    return Vocabulary(short[0], tuple(short[1 + len(marks) :][:LABELS]), marks, text)


@dataclass(frozen=True, slots=True)
class Coded:
    """An event's tokens. `target` is 0 for something new, n + 1 for the n-th live label, None for mere context."""

    tokens: tuple[int, ...]
    target: int | None


@dataclass
class Coder:
    """Codes one stream; `order` permutes the labels."""

    words: Vocabulary
    order: Sequence[int] | None = None
    actions: list[Action] = field(default_factory=list)  # live actions by label, in order of first mention
    _labels: dict[Action, int] = field(default_factory=dict)
    _last: Event | None = None

    def __post_init__(self) -> None:
        order = self.order if self.order is not None else range(len(self.words.labels))
        # Token ids by target: `<new>`, then the labels in the order in which they are dealt.
        self.columns = [self.words.new, *(self.words.labels[n] for n in order)]

    @property
    def full(self) -> bool:
        """Whether no label is left for something new."""
        return len(self.actions) >= len(self.words.labels)

    def write(self, event: Event) -> Coded:
        """Return the tokens of the next event."""
        gap_s = (event.at - self._last.at).total_seconds() if self._last else 0.0
        self._last = event
        mark = self.words.marks[event.action.operation, bucket(gap_s)]
        if event.operation in CONTEXT:
            return Coded((mark,), None)
        label = self._labels.get(event.action)
        if label is not None:
            return Coded((self.columns[label + 1], mark), label + 1)
        self._labels[event.action] = len(self.actions)
        self.actions.append(event.action)
        return Coded((self.words.new, *_spell(self.words, event.action), self.columns[len(self.actions)], mark), 0)


@lru_cache(maxsize=8192)
def _pieces(text: Callable[[str], Sequence[int]], words: str, most: int) -> tuple[int, ...]:
    return tuple(text(words[:TEXT_CHARACTERS])[:most])


def _spell(words: Vocabulary, action: Action) -> tuple[int, ...]:
    """Return an action's text: app or folder, and the beginning of the target; the operation is in its mark."""
    place = _pieces(words.text, action.place, PLACE_TOKENS) if action.place else ()
    return (*place, *_pieces(words.text, " " + action.target, TARGET_TOKENS))
