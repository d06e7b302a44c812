"""The language model that serves: one base model, an adapter for each version, a reader for each stream."""

import json
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError, safe_open
from transformers import DynamicCache

from memo.core.errors import MemoError
from memo.core.events import Event
from worker.predictors.language_model.label_coding import Coder
from worker.predictors.language_model.loading import LoadedBase, choose_device, load_base
from worker.predictors.reader import Scores

CONTEXT_TOKENS = 1024  # a reader starts a new context beyond this; training's chunks are as long
RESTART_EVENTS = 128  # most recent events that a new context begins with
RESTART_TOKENS = 640  # most tokens that these events may take
PART_TOKENS = 16  # fed at once in the background: an answer waits for one part at most


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
            with safe_open(folder / "adapter_model.safetensors", "pt"):  # a torn one must not be half loaded
                pass
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

    def reader(self, version_id: str | None = None, prepares: bool = False) -> "ModelReader":
        """Return a reader of one stream, with a version's adapter or with the base model alone."""
        if version_id is not None and version_id not in self._names:
            raise KeyError(version_id)
        return ModelReader(self, version_id, prepares)

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


class Prompt:
    """A stream's tokens as one context, with the key-value cache of those that the model has read."""

    def __init__(self, language: LanguageModel, version_id: str | None, events: Sequence[Event] = ()) -> None:
        self._language, self._version = language, version_id
        self._coder = Coder(language.words)
        self._tokens: list[int] = []
        self._cache = DynamicCache()
        self._fed = 0
        self._log_probabilities: list[float] = []
        for event in events:
            self.write(event)

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def unfed(self) -> int:
        """How many tokens the model has not read."""
        return len(self._tokens) - self._fed

    @property
    def lacks_labels(self) -> bool:
        """Whether no label is left for something new."""
        return self._coder.full

    def write(self, event: Event) -> None:
        """Add the next event."""
        self._tokens.extend(self._coder.write(event).tokens)

    def feed(self, most: int) -> None:
        """Have the model read up to `most` of the tokens that it has not read."""
        tokens = self._tokens[self._fed : self._fed + most]
        if tokens:
            columns = self._coder.columns[: len(self._coder.actions) + 1]
            self._log_probabilities = self._language.next(tokens, self._cache, columns, self._version)
            self._fed += len(tokens)

    def scores(self) -> Scores:
        """Return the scores of what comes next; empty before the first event."""
        if not self._tokens:
            return Scores()
        self.feed(self.unfed)
        new, *known = self._log_probabilities
        return Scores(dict(zip(self._coder.actions, known, strict=True)), new)


class ModelReader:
    """A reader of one stream: only new tokens are computed.

    When a context is full, another one begins with the most recent events; that depends on the stream alone. The new
    one answers at once, or, if the reader `prepares`, as soon as `prepare` has fed it; until then the full one goes on.
    """

    def __init__(self, language: LanguageModel, version_id: str | None, prepares: bool = False) -> None:
        self._language, self._version, self._prepares = language, version_id, prepares
        self._recent: deque[Event] = deque(maxlen=RESTART_EVENTS)
        self._prompts = [Prompt(language, version_id)]  # the newest last; one before it is full, and still answers

    def read(self, event: Event) -> None:
        """Add the next event to the context; cheap, for the model runs only in `scores` and `prepare`."""
        if self._is_full(self._prompts[-1]):
            self._prompts = [self._prompts[-1], self._begin()]
        self._prompts = [prompt for prompt in self._prompts if not prompt.lacks_labels]
        self._recent.append(event)
        for prompt in self._prompts:
            prompt.write(event)

    def _is_full(self, prompt: Prompt) -> bool:
        return prompt.lacks_labels or len(prompt) > CONTEXT_TOKENS

    def _begin(self) -> Prompt:
        """Return a new context of the most recent events."""
        events = list(self._recent)
        prompt = Prompt(self._language, self._version, events)
        while len(events) > 1 and (len(prompt) > RESTART_TOKENS or prompt.lacks_labels):
            events = events[-(len(events) * 3 // 4) :]
            prompt = Prompt(self._language, self._version, events)
        return prompt

    def prepare(self) -> bool:
        """Feed a part of the newest context; return whether more of it is left."""
        self._prompts[-1].feed(PART_TOKENS)
        return self._prompts[-1].unfed > 0

    def scores(self) -> Scores:
        """Return the scores of what comes next; empty before the first event."""
        full, newest = self._prompts[0], self._prompts[-1]
        if not self._prepares or newest.unfed <= max(PART_TOKENS, full.unfed):
            self._prompts = [newest]
        return self._prompts[0].scores()
