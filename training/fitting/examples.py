"""Training examples: chunks of a stream in label-coded form, and the loss on what comes next."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memo.core.events import Event
from worker.predictors.language_model.label_coding import Coder, Vocabulary

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Example:
    """A chunk. At token `positions[i]` the target is `columns[targets[i]]`, one of the first `live[i] + 1` columns."""

    columns: Sequence[int]
    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    live: list[int] = field(default_factory=list)


def chunks(events: Sequence[Event], words: Vocabulary, length: int, rng: random.Random) -> Iterator[Example]:
    """Cut a stream into examples of at most `length` tokens, each with labels dealt at random."""
    coder, example = _begin(words, rng)
    for event in events:
        if len(example.tokens) > length - 20 or coder.full:
            yield example
            coder, example = _begin(words, rng)
        live = len(coder.actions)
        coded = coder.write(event)
        # The first tokens of a chunk have nothing before them from which they could be told.
        if coded.target is not None and example.tokens:
            example.positions.append(len(example.tokens) - 1)
            example.targets.append(coded.target)
            example.live.append(live)
        example.tokens.extend(coded.tokens)
    if example.positions:
        yield example


def _begin(words: Vocabulary, rng: random.Random) -> tuple[Coder, Example]:
    coder = Coder(words, rng.sample(range(len(words.labels)), len(words.labels)))
    return coder, Example(coder.columns)


def loss(model: Any, batch: Sequence[Example]) -> "torch.Tensor":
    """Mean cross-entropy in nats over the action positions of a batch; `model` is a transformers causal LM."""
    import torch

    device = model.device
    width = max(len(example.tokens) for example in batch)
    # Padding stands on the right, where a causal model never looks.
    rows = [example.tokens + [0] * (width - len(example.tokens)) for example in batch]
    hidden = model.base_model(input_ids=torch.tensor(rows, device=device), use_cache=False).last_hidden_state
    head = model.get_output_embeddings().weight
    parts = []
    for row, example in zip(hidden, batch, strict=True):
        logits = (row[torch.tensor(example.positions, device=device)] @ head[list(example.columns)].T).float()
        live = torch.tensor(example.live, device=device)
        closed = torch.arange(logits.shape[1], device=device) > live[:, None]
        targets = torch.tensor(example.targets, device=device)
        parts.append(torch.nn.functional.cross_entropy(logits.masked_fill(closed, -1e9), targets, reduction="none"))
    return torch.cat(parts).mean()
