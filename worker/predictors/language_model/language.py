"""The language model that serves: one base model, an adapter for each version, a reader for each stream."""

import json
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import DynamicCache

from memo.core.errors import MemoError
from memo.core.events import Event
from worker.predictors.language_model.label_coding import Coder
from worker.predictors.language_model.loading import LoadedBase, choose_device, load_base
from worker.predictors.reader import Scores

CONTEXT_TOKENS = 1024  # a reader starts a new context beyond this; training's chunks are as long
RESTART_EVENTS = 128  # most recent events that a new context begins with
RESTART_TOKENS = 640  # most tokens that these events may take


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Silence a warning of peft 0.21, which calls transformers by a deprecated name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield


class LanguageModel:
    """One base model in memory, shared by its adapters."""

    def __init__(self, base: str, loaded: LoadedBase) -> None:
        self.base = base
        self._model, self.words, self._fingerprint = loaded
        self._peft: Any = None
        self._names: dict[str, str] = {}
        self._active: str | None = None
        self._made = 0
        # The active adapter belongs to the model: readers of two versions, each in its own thread, take turns.
        self._lock = Lock()

    @classmethod
    def load(cls, base: str = "builtin", device: str = "auto", threads: int = 1) -> "LanguageModel":
        """Load a base model. Raises MemoError."""
        torch.set_num_threads(threads)
        return cls(base, load_base(base, choose_device(device)))

    @property
    def versions(self) -> list[str]:
        """The versions whose adapters are loaded."""
        return list(self._names)

    def add_adapter(self, version_id: str, folder: Path) -> None:
        """Load a version's adapter. Raises MemoError if it is missing, damaged or made for another base."""
        if version_id in self._names:
            return
        self._made += 1
        name = f"adapter_{self._made}"
        try:
            trained_on = json.loads((folder / "version.json").read_text("utf-8"))["base_fingerprint"]
            if trained_on != self._fingerprint:
                raise MemoError(
                    f"Version {version_id} was trained on other weights than {self.base}; run memo train again."
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
        """Remove a version's adapter from memory."""
        with self._lock:
            if (name := self._names.pop(version_id, None)) is None or self._peft is None:
                return
            self._active = None
            if self._names:
                self._peft.delete_adapter(name)
            else:
                self._model, self._peft = self._peft.unload(), None

    def reader(self, version_id: str | None = None) -> "ModelReader":
        """Return a reader of one stream, with a version's adapter or with the base model alone."""
        if version_id is not None and version_id not in self._names:
            raise KeyError(version_id)
        return ModelReader(self, version_id)

    @torch.inference_mode()
    def next(self, tokens: list[int], cache: Any, columns: list[int], version_id: str | None) -> list[float]:
        """Feed tokens after those in `cache`; return log-probabilities of the tokens `columns` after the last one."""
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
    """A reader of one stream, with a key-value cache: only new tokens are computed."""

    def __init__(self, language: LanguageModel, version_id: str | None) -> None:
        self._language, self._version = language, version_id
        self._recent: deque[Event] = deque(maxlen=RESTART_EVENTS)
        self._begin([])

    def _begin(self, events: list[Event]) -> None:
        self._coder = Coder(self._language.words)
        self._tokens: list[int] = []
        self._cache = DynamicCache()
        self._fed = 0
        self._log_probabilities: list[float] = []
        for event in events:
            self._tokens.extend(self._coder.write(event).tokens)

    def read(self, event: Event) -> None:
        """Add the next event to the context; cheap, for the model runs only in `scores`."""
        self._recent.append(event)
        if self._coder.full or len(self._tokens) > CONTEXT_TOKENS:
            self._restart()
        else:
            self._tokens.extend(self._coder.write(event).tokens)

    def _restart(self) -> None:
        """Start a new context; when that happens depends on the stream alone, not on the calls of `scores`."""
        events = list(self._recent)
        self._begin(events)
        while len(events) > 1 and (len(self._tokens) > RESTART_TOKENS or self._coder.full):
            events = events[-(len(events) * 3 // 4) :]
            self._begin(events)

    def scores(self) -> Scores:
        """Return the scores of what comes next; empty before the first event."""
        if not self._tokens:
            return Scores()
        live = self._coder.actions
        if self._fed < len(self._tokens):
            columns = self._coder.columns[: len(live) + 1]
            new_tokens = self._tokens[self._fed :]
            self._log_probabilities = self._language.next(new_tokens, self._cache, columns, self._version)
            self._fed = len(self._tokens)
        new, *known = self._log_probabilities
        return Scores(dict(zip(live, known, strict=True)), new)
