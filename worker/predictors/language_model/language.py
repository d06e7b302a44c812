"""The language model that serves: one base model, an adapter for each version, a reader for each stream."""

import hashlib
import json
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from huggingface_hub import constants
from peft import PeftModel
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache
from transformers.utils import logging as transformers_logging

import data
from memo.core.errors import MemoError
from memo.core.events import Action, Event
from worker.predictors.language_model.label_coding import Coder, Vocabulary, vocabulary

BUILTIN = Path(data.__file__).parent / "base"
CONTEXT_TOKENS = 1024
"""A reader's context grows to this and begins anew; training's chunks are as long."""
RESTART_EVENTS, RESTART_TOKENS = 128, 640
"""A new context begins with the latest events: at most so many, in at most so many tokens."""


@dataclass(frozen=True, slots=True)
class ModelScores:
    """Natural log-probabilities of the actions in the context, and of one that is not in it."""

    actions: dict[Action, float] = field(default_factory=dict)
    new: float = 0.0


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Around calls of peft 0.21, which asks transformers by a name that is going out of use."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield


@contextmanager
def without_hub() -> Iterator[None]:
    """Nothing is asked of a hub: `local_files_only` alone lets transformers look for an adapter there."""
    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def choose_device(device: str) -> str:
    """`auto` is a GPU where there is one."""
    if device == "cuda" and not torch.cuda.is_available():
        raise MemoError("The setting model.device is cuda, but there is no usable GPU; set it to auto or cpu.")
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def load_base(base: str, device: str) -> tuple[Any, Vocabulary]:
    """The base model and its coding: `builtin`, a folder, or the name of a hub model that was pulled before."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = BUILTIN if base == "builtin" else Path(base).expanduser()
    place = str(folder) if folder.is_dir() else base
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    try:
        with without_hub():
            tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=True)
            model: Any = AutoModelForCausalLM.from_pretrained(place, dtype=dtype, local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise MemoError(
            f"The base model {base} can't be loaded ({reason}); set model.base to builtin, to a model's folder, "
            f"or run 'memo model pull {base}'."
        ) from error
    return model.to(device).eval(), vocabulary(tokenizer)


def fingerprint(base: str) -> str:
    """What an adapter must have been trained on: the built-in weights' SHA-256, or the base's name."""
    return hashlib.sha256((BUILTIN / "model.safetensors").read_bytes()).hexdigest() if base == "builtin" else base


class LanguageModel:
    """One base model in memory, shared by its adapters."""

    def __init__(self, base: str, model: Any, words: Vocabulary) -> None:
        self.base, self.words = base, words
        self._model = model
        self._peft: Any = None
        self._names: dict[str, str] = {}
        self._active: str | None = None
        self._made = 0
        self._lock = Lock()
        """The adapter in force is the model's: readers of two versions, each in a thread of its own, take turns."""

    @classmethod
    def load(cls, base: str = "builtin", device: str = "auto", threads: int = 1) -> "LanguageModel":
        """Load a base model. Raises MemoError where that fails."""
        torch.set_num_threads(threads)
        return cls(base, *load_base(base, choose_device(device)))

    @property
    def versions(self) -> list[str]:
        """The versions whose adapters are loaded."""
        return list(self._names)

    def add_adapter(self, version_id: str, folder: Path) -> None:
        """Load a version's adapter. Raises MemoError where it is missing, damaged or made for another base."""
        if version_id in self._names:
            return
        self._made += 1
        name = f"adapter_{self._made}"
        try:
            trained_on = json.loads((folder / "version.json").read_text("utf-8"))["base_fingerprint"]
            if trained_on != fingerprint(self.base):
                raise MemoError(
                    f"Version {version_id} was trained on another base model than {self.base}; run memo train again."
                )
            with self._lock, quiet_peft():
                self._load(folder, name)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise MemoError(f"Version {version_id} can't be loaded from {folder}; activate another.") from error
        self._peft.eval()
        self._names[version_id] = name
        self._active = None

    def _load(self, folder: Path, name: str) -> None:
        if self._peft is None:
            self._peft = PeftModel.from_pretrained(self._model, str(folder), adapter_name=name)
        else:
            self._peft.load_adapter(str(folder), adapter_name=name)

    def drop_adapter(self, version_id: str) -> None:
        """Take a version's adapter out of memory."""
        with self._lock:
            if (name := self._names.pop(version_id, None)) is None or self._peft is None:
                return
            self._active = None
            if self._names:
                self._peft.delete_adapter(name)
            else:
                self._model, self._peft = self._peft.unload(), None

    def reader(self, version_id: str | None = None) -> "ModelReader":
        """A reader of one stream, with a version's adapter or with the base alone."""
        if version_id is not None and version_id not in self._names:
            raise KeyError(version_id)
        return ModelReader(self, version_id)

    @torch.inference_mode()
    def next(self, tokens: list[int], cache: Any, columns: list[int], version_id: str | None) -> list[float]:
        """Feed tokens after what `cache` holds; log-probabilities of `columns` after the last of them."""
        with self._lock:
            self._activate(version_id)
            given = torch.tensor([tokens], device=self._model.device)
            hidden = self._model.base_model(input_ids=given, cache=cache, use_cache=cache is not None).last_hidden_state
            head = self._model.get_output_embeddings().weight[columns]
            found: list[float] = torch.log_softmax((head @ hidden[0, -1]).float(), -1).tolist()
        return found

    def _activate(self, version_id: str | None) -> None:
        if self._peft is None or self._active == (version_id or "none"):
            return
        if version_id is None:
            self._peft.base_model.disable_adapter_layers()
        else:
            self._peft.base_model.enable_adapter_layers()
            self._peft.set_adapter(self._names[version_id], inference_mode=True)
        self._active = version_id or "none"


class ModelReader:
    """Reads along one stream; only tokens not seen yet are computed."""

    def __init__(self, language: LanguageModel, version_id: str | None) -> None:
        self._language, self._version = language, version_id
        self._recent: deque[Event] = deque(maxlen=RESTART_EVENTS)
        self._begin([])

    def _begin(self, events: list[Event]) -> None:
        self._coder = Coder(self._language.words)
        self._tokens: list[int] = []
        self._cache, self._fed = DynamicCache(), 0
        self._said: list[float] = []
        for event in events:
            self._tokens.extend(self._coder.write(event).tokens)

    def read(self, event: Event) -> None:
        """Take in the next event; cheap, the model runs when scores are asked for."""
        self._recent.append(event)
        if self._coder.full or len(self._tokens) > CONTEXT_TOKENS:
            self._restart()
        else:
            self._tokens.extend(self._coder.write(event).tokens)

    def _restart(self) -> None:
        """Begin the context anew: when depends on the stream alone, not on what was asked."""
        events = list(self._recent)
        self._begin(events)
        while len(events) > 1 and (len(self._tokens) > RESTART_TOKENS or self._coder.full):
            events = events[-(len(events) * 3 // 4) :]
            self._begin(events)

    def scores(self) -> ModelScores:
        """What comes next."""
        if not self._tokens:
            return ModelScores()
        live = self._coder.actions
        if self._fed < len(self._tokens):
            columns = self._coder.columns[: len(live) + 1]
            self._said = self._language.next(self._tokens[self._fed :], self._cache, columns, self._version)
            self._fed = len(self._tokens)
        return ModelScores(dict(zip(live, self._said[1:], strict=True)), self._said[0])
