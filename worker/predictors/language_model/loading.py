"""Loads a base model: the weights, the coding for its tokenizer, and the fingerprint that adapters are held to."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from huggingface_hub import constants, snapshot_download
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from memo.core.errors import MemoError
from worker.predictors.language_model.label_coding import Vocabulary, vocabulary
from worker.predictors.language_model.weights import BUILTIN, compute_sha256, find_weights, remedy

GAIN = 1.5  # how much faster bfloat16 has to be on a CPU
LOAD_ERRORS = (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError)
"""What transformers raises for a model that it can't load."""


class LoadedBase(NamedTuple):
    """A base model in memory."""

    model: Any
    words: Vocabulary
    fingerprint: str
    """The SHA-256 of its weights; an adapter fits only the weights that it was trained on."""


def choose_device(device: str) -> str:
    """Return `cuda` or `cpu`; `auto` is a GPU if there is one. Raises MemoError."""
    if device == "cuda" and not torch.cuda.is_available():
        raise MemoError("The setting model.device is cuda, but there is no usable GPU; set it to auto or cpu.")
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def load_base(base: str, device: str) -> LoadedBase:
    """Load a base model: `builtin`, a folder, or a hub model pulled before. Raises MemoError."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with _found(base) as folder:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        dtype = _choose_dtype(base, device)
        model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype, local_files_only=True)
        fingerprint = compute_sha256(find_weights(folder))
    return LoadedBase(model.to(device).eval(), read_vocabulary(tokenizer), fingerprint)


def read_vocabulary(tokenizer: Any) -> Vocabulary:
    """Return the coding for a transformers tokenizer."""
    # A title may hold what looks like a special token: it is plain text.
    encode = partial(tokenizer.encode, add_special_tokens=False, split_special_tokens=True)
    return vocabulary(tokenizer.get_vocab(), encode)


def count_weights(base: str) -> int:
    """Return the number of a base model's weights, without loading them. Raises MemoError."""
    with _found(base) as folder, torch.device("meta"):
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        model: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    return int(model.num_parameters())


@contextmanager
def _found(base: str) -> Iterator[Path]:
    """Provide the folder of a base model. Raises MemoError for whatever fails with it.

    Transformers is kept off the network: with `local_files_only` alone it still looks for an adapter on the hub.
    """
    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield _find_folder(base)
    except LOAD_ERRORS as error:
        raise MemoError(f"The base model {base} can't be loaded ({first_line(error)}); {remedy(base)}.") from error
    finally:
        constants.HF_HUB_OFFLINE = before


def _choose_dtype(base: str, device: str) -> torch.dtype:
    """Return bfloat16 on a GPU, and for a hub model on a CPU that clearly multiplies faster in it."""
    if device == "cuda":
        return torch.bfloat16
    if base == "builtin":
        return torch.float32
    return torch.bfloat16 if GAIN * _time_product(torch.bfloat16) < _time_product(torch.float32) else torch.float32


def _time_product(dtype: torch.dtype) -> float:
    """Return the seconds of a small product; without units for bfloat16, a CPU takes many times longer in it."""
    tokens, weights = torch.ones(64, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        tokens @ weights
        times.append(time.perf_counter() - began)
    return min(times)


def _find_folder(base: str) -> Path:
    """Return the folder of a base model, for one of the hub in the hub's own cache."""
    folder = BUILTIN if base == "builtin" else Path(base).expanduser()
    return folder if folder.is_dir() else Path(snapshot_download(base, local_files_only=True))


def first_line(error: Exception) -> str:
    """Return an error's reason, of which libraries give many lines."""
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".:") if text else type(error).__name__
