"""Training examples: chunks of a stream in label coding, and the loss on the next action.

An answer to a suggestion is an example where the suggestion was made: of an action that came if it was "yes", else of
one that did not, by unlikelihood (Welleck et al. 2020). It adds no text: the action has to be in the chunk already.
"""

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from memo.core.events import Action, Event
from memo.core.predictions import Answer, wanted
from worker.predictors.language_model.label_coding import Coder, Vocabulary

if TYPE_CHECKING:
    import torch

LONGEST_EVENT = 20  # tokens
SEARCHED = 50  # events before an answer, among which is the one after which its suggestion was made
SUREST = 0.99  # probability of a refused action, above which its loss does not grow


class GivenAnswer(NamedTuple):
    """What a person answered to the suggestion of an action after another one; both are identities."""

    at: datetime
    after: Action
    about: Action
    answer: Answer


@dataclass(slots=True)
class Example:
    """A chunk. At token `positions[i]` the target is `columns[targets[i]]`, one of the first `live[i] + 1` columns."""

    columns: Sequence[int]
    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    live: list[int] = field(default_factory=list)
    refused: list[bool] = field(default_factory=list)  # whether the target is an action that a person refused
    weight: float = 1.0

    def add(self, target: int, live: int, refused: bool = False) -> None:
        """Add a target after the last token."""
        self.positions.append(len(self.tokens) - 1)
        self.targets.append(target)
        self.live.append(live)
        self.refused.append(refused)


def cut_chunks(
    events: Sequence[Event], words: Vocabulary, length: int, rng: random.Random, answers: Sequence[GivenAnswer] = ()
) -> Iterator[Example]:
    """Cut a stream into examples of at most `length` tokens, each with randomly assigned labels."""
    coder, example = _begin(words, rng)
    answered = _place(answers, events)
    for number, event in enumerate(events):
        if len(example.tokens) > length - LONGEST_EVENT or coder.full:
            yield example
            coder, example = _begin(words, rng)
        live = len(coder.actions)
        coded = coder.write(event)
        if coded.target is not None and example.tokens:  # nothing precedes a chunk's first event to predict it from
            example.add(coded.target, live)
        example.tokens.extend(coded.tokens)
        for given in answered.get(number, ()):
            _add_answer(example, coder, given)
    if example.positions:
        yield example


def _begin(words: Vocabulary, rng: random.Random) -> tuple[Coder, Example]:
    coder = Coder(words, rng.sample(range(len(words.labels)), len(words.labels)))
    return coder, Example(coder.columns)


def _place(answers: Sequence[GivenAnswer], events: Sequence[Event]) -> Mapping[int, list[GivenAnswer]]:
    """Return the answers given among events, by the number of the event after which the suggestion was made."""
    placed, times = defaultdict[int, list[GivenAnswer]](list), [event.at for event in events] if answers else []
    for given in answers:
        end = bisect_right(times, given.at)
        before = range(end - 1, max(0, end - SEARCHED) - 1, -1) if end < len(events) else ()
        number = next((n for n in before if events[n].action.identity == given.after), None)
        if number is not None:
            placed[number].append(given)
    return placed


def _add_answer(example: Example, coder: Coder, given: GivenAnswer) -> None:
    """Add the answer as a target if its action is in the chunk; for an app, its window that was mentioned last."""
    same = (n for n, action in enumerate(coder.actions, 1) if given.about in (action.identity, wanted(action)))
    if (target := max(same, default=None)) is not None:
        example.add(target, len(coder.actions), refused=given.answer is not Answer.YES)


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
    """Return the mean loss in nats over the targets of a batch, weighed by example; `model` is a causal LM.

    It is the cross-entropy, or for a refused action -log(1 - p).
    """
    import torch

    device = model.device
    rows = [torch.tensor(example.tokens, device=device) for example in batch]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)  # causal: right padding is unseen
    hidden = model.base_model(input_ids=tokens, use_cache=False).last_hidden_state
    head = model.get_output_embeddings().weight
    parts = []
    for row, example in zip(hidden, batch, strict=True):
        logits = (row[torch.tensor(example.positions, device=device)] @ head[list(example.columns)].T).float()
        live = torch.tensor(example.live, device=device)
        closed = torch.arange(logits.shape[1], device=device) > live[:, None]
        targets = torch.tensor(example.targets, device=device)
        losses = torch.nn.functional.cross_entropy(logits.masked_fill(closed, -1e9), targets, reduction="none")
        refused = torch.tensor(example.refused, device=device)
        unlikely = -torch.log1p(-torch.exp(-losses).clamp(max=SUREST))
        parts.append(example.weight * torch.where(refused, unlikely, losses))
    return torch.cat(parts).mean()
