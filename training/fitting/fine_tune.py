"""Fine-tuning: a LoRA adapter that learns a stream's habits, in label coding."""

import json
import math
import random
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.nn import Linear
from transformers.pytorch_utils import Conv1D

from memo.core.errors import MemoError
from memo.core.events import Event
from memo.core.files import write_atomically
from memo.core.settings import TrainSettings
from memo.store import manifest
from training.fitting.examples import Example, GivenAnswer, compute_loss, cut_chunks, mean_of_tail, take_step
from worker.predictors.language_model import probe
from worker.predictors.language_model.label_coding import Vocabulary
from worker.predictors.language_model.loading import LoadedBase, choose_device, count_weights, load_base
from worker.predictors.language_model.prompt import CONTEXT_TOKENS
from worker.predictors.language_model.transformers_model import TransformersModel, quiet_peft

HELD_OUT = 0.1  # last part of the stream, which measures the adapter and does not train it
CHUNK_TOKENS = CONTEXT_TOKENS // 2  # shorter than the reader's context: more steps, each with its own beginning
STEP_CHUNKS = 2
LIBRARIES = ("torch", "transformers", "peft", "safetensors")  # whose versions a manifest names
ADAPTED = 70  # linear layers that are adapted at most, the last ones: ten blocks of a Llama, all of the built-in model
CPU_WORK = 2e12  # weights times tokens that a CPU trains on at most: some minutes on two cores, see docs/base-models.md
WARM_UP = 0.1  # share of the steps
OLDEST_WEIGHT = 0.5  # of the oldest chunk in the loss; the mean is 1
CHECKPOINT_STEPS = 10

OnProgress = Callable[[int, int, float], None]
"""Called with the steps done, the steps in all, and the loss of the last step."""


def train(
    events: Sequence[Event],
    base: str,
    out: Path,
    settings: TrainSettings,
    on_progress: OnProgress,
    device: str = "auto",
    parent: str | None = None,
    checkpoint_steps: int = CHECKPOINT_STEPS,
    answers: Sequence[GivenAnswer] = (),
) -> dict[str, Any]:
    """Train an adapter into `out` and return its metrics; losses are in nats per action.

    Each version begins with the base model and has all events as examples, so that no older habit is forgotten; recent
    ones weigh more.

    `parent` names the version that was active when this one was made. An interrupted run with the same arguments
    resumes from `out/checkpoint` and ends in the same adapter. Raises MemoError for a base that can't be loaded, or
    is too large for a CPU.
    """
    torch.manual_seed(settings.seed)
    device = choose_device(device)
    most = _count_chunks(base, device, settings)
    model, words, fingerprint = load_base(base, device)
    split = len(events) - max(1, int(len(events) * HELD_OUT))
    held_out = list(cut_chunks(events[split:], words, CHUNK_TOKENS, random.Random(settings.seed)))[-most:]
    loss_of_base = _mean_loss(model, held_out)
    tuned = _add_adapter(model, settings)
    plan = _plan_steps(events[:split], answers, words, settings, most)
    file = out / "checkpoint" / "state.safetensors"
    train_loss = _Run(tuned, plan, settings, fingerprint, file, checkpoint_steps).finish(on_progress)
    metrics = {
        "train_loss": round(train_loss, 4),
        "held_out_loss": round(_mean_loss(model, held_out), 4),
        "held_out_loss_of_base": round(loss_of_base, 4),
        "steps": len(plan),
    }
    serving = TransformersModel(base, LoadedBase(model, words, fingerprint))  # the adapter is in the model
    description = _describe(events, base, fingerprint, settings, metrics, parent)
    _write(tuned, out, description | {"probe": probe.ask(serving.reader())})
    return metrics


def _count_chunks(base: str, device: str, settings: TrainSettings) -> int:
    """Return how many chunks an epoch may have at most. Raises MemoError if that is too few to train on."""
    if device != "cpu":
        return sys.maxsize
    weights = count_weights(base)
    most = int(CPU_WORK / (weights * CHUNK_TOKENS * settings.epochs))
    if most < STEP_CHUNKS:
        raise MemoError(
            f"Training {base} needs a GPU: it has {weights / 1e9:.1f} billion weights, too many for a CPU; "
            "set model.base to a smaller model."
        )
    return most


def _add_adapter(model: Any, settings: TrainSettings) -> PeftModel:
    head = model.get_output_embeddings()
    linear = [name for name, part in model.named_modules() if isinstance(part, (Linear, Conv1D)) and part is not head]
    with quiet_peft():
        config = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules=linear[-ADAPTED:])
        return get_peft_model(model, config)


def _plan_steps(
    events: Sequence[Event], answers: Sequence[GivenAnswer], words: Vocabulary, settings: TrainSettings, most: int
) -> list[list[Example]]:
    """Return the batch of each step; every epoch assigns new labels and cuts the stream at other places.

    An epoch has the newest `most` chunks, whose weights grow with time.
    """
    plan: list[list[Example]] = []
    for epoch in range(settings.epochs):
        rng = random.Random(f"{settings.seed} {epoch}")
        begin = rng.randrange(min(50, len(events) // 4)) if epoch else 0
        examples = list(cut_chunks(events[begin:], words, CHUNK_TOKENS, rng, answers))[-most:]
        for number, example in enumerate(examples):
            example.weight = OLDEST_WEIGHT + (1 - OLDEST_WEIGHT) * (2 * number + 1) / len(examples)
        rng.shuffle(examples)
        plan += [examples[start : start + STEP_CHUNKS] for start in range(0, len(examples), STEP_CHUNKS)]
    return plan


@dataclass
class _Run:
    """The steps of a plan, resumed from the last checkpoint in `file`."""

    model: PeftModel
    plan: list[list[Example]]
    settings: TrainSettings
    fingerprint: str
    file: Path
    checkpoint_steps: int
    losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.AdamW(weights, lr=self.settings.learning_rate, weight_decay=0.0)

    def finish(self, on_progress: OnProgress) -> float:
        """Run the remaining steps and return the mean loss of the last tenth."""
        self._resume()
        self.model.train()
        for step in range(len(self.losses), len(self.plan)):
            model = self.model.get_base_model()
            self.losses.append(take_step(model, self.optimizer, self.plan[step], self._rate(step)))
            if (step + 1) % self.checkpoint_steps == 0:
                self._save()
            on_progress(step + 1, len(self.plan), self.losses[-1])
        self.model.eval()
        return mean_of_tail(self.losses)

    def _rate(self, step: int) -> float:
        """Return the learning rate of a step: a linear warm-up, and a cosine down to a tenth."""
        warm = min(1.0, (step + 1) / max(1, WARM_UP * len(self.plan)))
        cosine = (1 + math.cos(math.pi * step / len(self.plan))) / 2
        return self.settings.learning_rate * warm * (0.1 + 0.9 * cosine)

    def _key(self) -> str:
        """Return the values that have to be equal for a checkpoint to fit, as JSON."""
        tokens = sum(len(example.tokens) for batch in self.plan for example in batch)
        settings = self.settings.model_dump()
        return json.dumps({"settings": settings, "base": self.fingerprint, "steps": len(self.plan), "tokens": tokens})

    def _save(self) -> None:
        """Write the checkpoint: tensors by name, and the rest as text beside them."""
        adapter = get_peft_model_state_dict(self.model, save_embedding_layers=False)
        tensors = {f"adapter/{name}": tensor for name, tensor in adapter.items()}
        for weight, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{weight}/{name}": tensor for name, tensor in state.items()}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.file, save(tensors, {"key": self._key(), "losses": json.dumps(self.losses)}))

    def _resume(self) -> None:
        try:
            with safe_open(self.file, "pt", device=str(self.model.device)) as opened:
                notes = opened.metadata()
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118, it is no dict
        except (OSError, SafetensorError):
            return
        if notes["key"] != self._key():
            return
        optimizer = self.optimizer.state_dict()
        adapter = {}
        for name, tensor in tensors.items():
            match name.split("/"):
                case "optimizer", weight, key:
                    optimizer["state"].setdefault(int(weight), {})[key] = tensor
                case _, key:
                    adapter[key] = tensor
        set_peft_model_state_dict(self.model, adapter)
        self.optimizer.load_state_dict(optimizer)
        self.losses = json.loads(notes["losses"])


@torch.inference_mode()
def _mean_loss(model: Any, examples: Sequence[Example]) -> float:
    counted = [example for example in examples if example.positions]
    total = sum(compute_loss(model, [example]).item() * len(example.positions) for example in counted)
    return total / max(1, sum(len(example.positions) for example in counted))


def _describe(
    events: Sequence[Event],
    base: str,
    fingerprint: str,
    settings: TrainSettings,
    metrics: dict[str, Any],
    parent: str | None,
) -> dict[str, Any]:
    """Return the content of version.json."""
    return {
        "base": base,
        "base_fingerprint": fingerprint,
        "parent": parent,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings.model_dump(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "data": {"from": events[0].at.isoformat(), "to": events[-1].at.isoformat(), "events": len(events)},
        "metrics": metrics,
    }


def _write(model: PeftModel, out: Path, description: dict[str, Any]) -> None:
    model.peft_config["default"].base_model_name_or_path = description["base"]
    # By default peft asks the hub whether the vocabulary changed; nothing may leave the machine.
    model.save_pretrained(str(out), save_embedding_layers=False)
    (out / "README.md").unlink(missing_ok=True)
    _sort_modules(out / "adapter_config.json")
    manifest.write(out, description)
    shutil.rmtree(out / "checkpoint", ignore_errors=True)


def _sort_modules(config: Path) -> None:
    """Sort the names that peft keeps as a set, so that equal adapters are equal files."""
    found = json.loads(config.read_text("utf-8"))
    found["target_modules"].sort()
    write_atomically(config, json.dumps(found, indent=2) + "\n")
