"""Training examples: chunks of a stream in label coding, and the loss on the next action."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memo.core.events import Event
from worker.predictors.language_model.label_coding import Coder, Vocabulary

if TYPE_CHECKING:
    import torch

LONGEST_EVENT = 20  # tokens


@dataclass(frozen=True, slots=True)
class Example:
    """A chunk. At token `positions[i]` the target is `columns[targets[i]]`, one of the first `live[i] + 1` columns."""

    columns: Sequence[int]
    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    live: list[int] = field(default_factory=list)


def cut_chunks(events: Sequence[Event], words: Vocabulary, length: int, rng: random.Random) -> Iterator[Example]:
    """Cut a stream into examples of at most `length` tokens, each with randomly assigned labels."""
    coder, example = _begin(words, rng)
    for event in events:
        if len(example.tokens) > length - LONGEST_EVENT or coder.full:
            yield example
            coder, example = _begin(words, rng)
        live = len(coder.actions)
        coded = coder.write(event)
        if coded.target is not None and example.tokens:  # nothing precedes a chunk's first event to predict it from
            example.positions.append(len(example.tokens) - 1)
            example.targets.append(coded.target)
            example.live.append(live)
        example.tokens.extend(coded.tokens)
    if example.positions:
        yield example


def _begin(words: Vocabulary, rng: random.Random) -> tuple[Coder, Example]:
    coder = Coder(words, rng.sample(range(len(words.labels)), len(words.labels)))
    return coder, Example(coder.columns)


def take_step(model: Any, optimizer: "torch.optim.Optimizer", batch: Sequence[Example], rate: float) -> float:
    """Adjust the optimizer's weights to a batch and return the loss before."""
    import torch

    for group in optimizer.param_groups:
        group["lr"] = rate
    loss = compute_loss(model, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_([weight for group in optimizer.param_groups for weight in group["params"]], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item()


def mean_of_tail(losses: Sequence[float]) -> float:
    """Return the mean of the last tenth of the losses."""
    tail = losses[-max(1, len(losses) // 10) :]
    return sum(tail) / len(tail)


def compute_loss(model: Any, batch: Sequence[Example]) -> "torch.Tensor":
    """Return the mean cross-entropy in nats over the action positions of a batch; `model` is a causal LM."""
    import torch

    device = model.device
    width = max(len(example.tokens) for example in batch)
    rows = [
        example.tokens + [0] * (width - len(example.tokens)) for example in batch
    ]  # causal: right padding is unseen
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
