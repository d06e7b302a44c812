"""Train the built-in base model and the sample person's adapter, on synthetic streams only.

`make base-model` runs this as `python -m training.base_model`; it takes less than 20 minutes on two cores.
"""

import argparse
import json
import math
import random
import shutil
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from data.synthetic.people import SAMPLE_START, Person, sample, stream
from memo.core.events import CONTEXT, Event
from memo.core.settings import TrainSettings
from training.fitting.examples import Example, cut_chunks, mean_of_tail, take_step
from training.fitting.fine_tune import train
from training.fitting.induction_init import init_weights
from worker.predictors.language_model.label_coding import RESERVED_TOKENS, TEXT_CHARACTERS, Vocabulary
from worker.predictors.language_model.loading import read_vocabulary
from worker.predictors.language_model.prompt import CONTEXT_TOKENS
from worker.predictors.language_model.weights import BUILTIN

VOCABULARY = 2048  # tokens
PEOPLE = 1600
DAYS = 2  # per person
MOST_EVENTS = 900  # per person
FIRST_PERSON = 1000  # lower seeds are left for samples and tests
SHORT_TOKENS = 400  # chunk length for the first people; short chunks cost less per token
SHORT_SHARE = 0.35  # share of people with short chunks
STEP_TOKENS = 2048  # batch size
PEAK_RATE = 1.5e-3
WARM_UP_STEPS = 50


def make_streams(count: int) -> list[list[Event]]:
    """Return the streams of `count` synthetic people, in both languages."""
    return [stream(Person(FIRST_PERSON + n), DAYS, SAMPLE_START)[:MOST_EVENTS] for n in range(count)]


def make_tokenizer(streams: list[list[Event]]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE whose reserved tokens cannot be spelled by any text."""
    actions = {event.action for events in streams for event in events if event.operation not in CONTEXT}
    texts = sorted({text[:TEXT_CHARACTERS] for action in actions for text in (action.place, " " + action.target)})
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(RESERVED_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    stored = json.loads(tokenizer.to_str())
    stored["added_tokens"] = []
    wrapped: PreTrainedTokenizerFast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer.from_str(json.dumps(stored))
    )
    return wrapped


def make_model() -> LlamaForCausalLM:
    """Return the small model with its initial weights."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        attention_bias=True,
        head_dim=32,
        max_position_embeddings=2 * CONTEXT_TOKENS,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1e5},
    )
    model = LlamaForCausalLM(config)
    init_weights(model)
    return model


def plan_steps(streams: list[list[Event]], words: Vocabulary, seed: int) -> list[list[Example]]:
    """Return the batch of each step, in order: short chunks first, then whole contexts."""
    rng = random.Random(seed)
    plan: list[list[Example]] = []
    first = int(len(streams) * SHORT_SHARE)
    for length, part in ((SHORT_TOKENS, streams[:first]), (CONTEXT_TOKENS, streams[first:])):
        examples = [example for events in part for example in cut_chunks(events, words, length, rng)]
        rng.shuffle(examples)
        size = STEP_TOKENS // length
        plan += [examples[start : start + size] for start in range(0, len(examples) - size + 1, size)]
    return plan


def learning_rate(step: int, steps: int) -> float:
    """Return the learning rate of a step: a linear warm-up, then a cosine down to a twentieth of the peak."""
    if step < WARM_UP_STEPS:
        return PEAK_RATE * (step + 1) / WARM_UP_STEPS
    return PEAK_RATE * (0.05 + 0.95 * (1 + math.cos(math.pi * step / steps)) / 2)


def fit(model: LlamaForCausalLM, plan: list[list[Example]], progress: Progress) -> float:
    """Train the model and return the mean loss of the last tenth of the steps."""
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    task, losses = progress.add_task("base model", total=len(plan), loss=math.nan), []
    model.train()
    for step, batch in enumerate(plan):
        losses.append(take_step(model, optimizer, batch, learning_rate(step, len(plan))))
        progress.update(task, advance=1, loss=sum(losses[-50:]) / len(losses[-50:]))
    return mean_of_tail(losses)


def build(out: Path, count: int, seed: int, progress: Progress) -> dict[str, Any]:
    """Make and save the tokenizer and the model, and return how they were made (made.json)."""
    torch.manual_seed(seed)
    streams = make_streams(count)
    tokenizer = make_tokenizer(streams)
    model = make_model()
    plan = plan_steps(streams, read_vocabulary(tokenizer), seed)
    made = {
        "command": f"python -m training.base_model --people {count} --seed {seed}",
        "data": f"data.synthetic.people, people {FIRST_PERSON} to {FIRST_PERSON + count - 1}, {DAYS} days each",
        "seed": seed,
        "events": sum(map(len, streams)),
        "tokens": sum(len(example.tokens) for batch in plan for example in batch),
        "steps": len(plan),
        "parameters": model.num_parameters(),
        "final_loss": round(fit(model, plan, progress), 4),
    }
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    (out / "made.json").write_text(json.dumps(made, indent=2) + "\n")
    return made


def build_adapter(base: Path, progress: Progress) -> dict[str, Any]:
    """Train the adapter that ships with the base model, on the sample person's earlier days; return its metrics."""
    task = progress.add_task("sample adapter", loss=math.nan)
    shutil.rmtree(base / "adapter", ignore_errors=True)

    def report(done: int, total: int, loss: float) -> None:
        progress.update(task, completed=done, total=total, loss=loss)

    return train(sample()[0], "builtin" if base == BUILTIN else str(base), base / "adapter", TrainSettings(), report)


def main() -> None:
    """Train the base model into data/base, and the sample adapter into data/base/adapter."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=BUILTIN)
    given = parser.parse_args()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TextColumn("loss {task.fields[loss]:.3f}"), TimeRemainingColumn()) as progress:
        print(json.dumps(build(given.out, given.people, given.seed, progress)))
        print(json.dumps(build_adapter(given.out, progress)))


if __name__ == "__main__":
    main()
