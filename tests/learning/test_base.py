"""The built-in base model: its initial weights can copy, and a seed gives the same model again."""

import random
from datetime import timedelta
from pathlib import Path

import torch
from rich.progress import Progress
from safetensors.torch import load_file
from transformers import AutoTokenizer

from data.synthetic.people import SAMPLE_START
from memo.core.events import Event, Operation
from training.base_model import build, make_model
from worker.predictors.language_model.loading import LoadedBase, read_vocabulary
from worker.predictors.language_model.transformers_model import TransformersModel
from worker.predictors.language_model.weights import BUILTIN


def test_untrained_model_copies_what_followed_before() -> None:
    torch.manual_seed(0)
    words = read_vocabulary(AutoTokenizer.from_pretrained(str(BUILTIN)))
    reader = TransformersModel("builtin", LoadedBase(make_model(), words, "")).reader()
    rng, hits = random.Random(0), 0
    names = [f"{n}.exe" for n in rng.sample(range(1000), 12)]
    for n in range(96):
        event = Event(SAMPLE_START + timedelta(seconds=n * 3), Operation.PROCESS_START, names[n % 12])
        if n >= 48:
            scores = reader.scores().actions
            hits += max(scores, key=lambda action: scores[action]) == event.action
        reader.read(event)
    assert hits >= 20  # chance gives 4


def test_build_is_the_same_for_a_seed(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        with Progress(disable=True) as progress:
            made.append(build(tmp_path / name, 1, 3, progress))
    assert made[0] == made[1]
    one, two = (load_file(str(tmp_path / name / "model.safetensors")) for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)
