"""Label coding: what a model reads, and that nothing of an event stands before it is asked."""

import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import BPE, WordLevel
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from memo.core.errors import MemoError
from memo.core.events import ACTIONS, Event, Operation
from worker.predictors.language_model.label_coding import (
    GAPS,
    LABELS,
    RESERVED_TOKENS,
    Coder,
    Vocabulary,
    bucket,
)
from worker.predictors.language_model.loading import read_vocabulary
from worker.predictors.language_model.weights import BUILTIN

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def byte_level() -> Vocabulary:
    """The coding for a tokenizer without tokens of ours, such as a hub model's."""
    pairs = [f"Ġ{a}{b}" for b in string.ascii_letters for a in string.ascii_uppercase]
    known = Tokenizer(BPE({token: n for n, token in enumerate([*pre_tokenizers.ByteLevel.alphabet(), *pairs])}, []))
    return read_vocabulary(PreTrainedTokenizerFast(tokenizer_object=known))  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    return read_vocabulary(AutoTokenizer.from_pretrained(str(BUILTIN)))


def event(second: float, target: str, operation: Operation = Operation.PROCESS_START, app: str = "") -> Event:
    return Event(AT + timedelta(seconds=second), operation, target, app)


def test_an_action_is_spelled_once_and_then_one_label(words: Vocabulary) -> None:
    coder = Coder(words)
    first, other, again = (coder.write(event(n, target)) for n, target in enumerate(["a.exe", "b.exe", "a.exe"]))
    assert (first.target, other.target, again.target) == (0, 0, 1)
    assert first.tokens[0] == words.new
    assert first.tokens[-2:] == (words.labels[0], words.marks[Operation.PROCESS_START, 0])
    assert again.tokens == (words.labels[0], words.marks[Operation.PROCESS_START, 1])
    assert [action.target for action in coder.actions] == ["a.exe", "b.exe"]


def test_the_gap_stands_after_the_label(words: Vocabulary) -> None:
    soon, late = Coder(words), Coder(words)
    for coder, gap in ((soon, 1), (late, 4000)):
        coder.write(event(0, "a.exe"))
        coder.write(event(gap, "a.exe"))
    codes = [coder.write(event(8000, "a.exe")).tokens for coder in (soon, late)]
    assert codes[0][0] == codes[1][0]
    assert [bucket(gap) for gap in (-3, 0, 1, 4.9, 299, 10_000)] == [0, 0, 1, 2, 5, GAPS - 1]


def test_context_is_read_and_never_a_target(words: Vocabulary) -> None:
    coder = Coder(words)
    coded = coder.write(event(0, "", Operation.SESSION_START))
    assert coded.target is None
    assert coded.tokens
    assert coder.actions == []


def test_labels_are_dealt_by_the_order(words: Vocabulary) -> None:
    order = list(reversed(range(len(words.labels))))
    coder = Coder(words, order)
    assert words.labels[-1] in coder.write(event(0, "a.exe")).tokens
    assert coder.columns[:2] == [words.new, words.labels[-1]]


@pytest.mark.parametrize("title", [*RESERVED_TOKENS[:3], "<process_start 0>", "\ud800 \x1b[31m\n", "", "標" * 500])
def test_a_hostile_title_spells_no_reserved_token(words: Vocabulary, title: str) -> None:
    coded = Coder(words).write(event(0, title, Operation.WINDOW_FOCUS, title))
    text = coded.tokens[1:-2]
    assert not {words.new, *words.labels, *words.marks.values()} & set(text)
    assert len(coded.tokens) <= 16


def test_a_coder_says_when_no_label_is_left(words: Vocabulary) -> None:
    coder = Coder(replace(words, labels=words.labels[:2]))
    coder.write(event(0, "a.exe"))
    assert not coder.full
    coder.write(event(1, "b.exe"))
    assert coder.full


def test_a_hub_model_has_one_token_for_each_mark_and_label(byte_level: Vocabulary) -> None:
    reserved = [byte_level.new, *byte_level.labels, *byte_level.marks.values()]
    assert len(set(reserved)) == len(reserved) == 1 + LABELS + len(ACTIONS) * GAPS


def test_a_hub_model_that_has_no_short_tokens_is_refused() -> None:
    words = Tokenizer(WordLevel({"a": 0, "?": 1}, unk_token="?"))
    with pytest.raises(MemoError, match="no short words"):
        read_vocabulary(PreTrainedTokenizerFast(tokenizer_object=words))  # type: ignore[no-untyped-call]
