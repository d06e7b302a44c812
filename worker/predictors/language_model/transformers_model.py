"""A base model that transformers runs, with adapters by peft; on a GPU, too."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from peft import PeftModel
from transformers import DynamicCache

from worker.predictors.language_model.language import LanguageModel
from worker.predictors.language_model.loading import LoadedBase, choose_device, load_base


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Silence a warning of peft 0.21, which calls transformers by a deprecated name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield


class TransformersModel(LanguageModel):
    """Any causal language model that transformers can load."""

    def __init__(self, base: str, loaded: LoadedBase) -> None:
        super().__init__(base, loaded.words, loaded.fingerprint)
        self._model = loaded.model
        self._peft: Any = None
        self._names: dict[str, str] = {}
        self._active: str | None = None
        self._made = 0
        # The active adapter belongs to the model: readers of two versions, each in its own thread, take turns.
        self._lock = Lock()

    @classmethod
    def load(cls, base: str = "builtin", device: str = "auto", threads: int = 1) -> "TransformersModel":
        """Load a base model. Raises MemoError."""
        torch.set_num_threads(threads)
        return cls(base, load_base(base, choose_device(device)))

    def new_cache(self) -> DynamicCache:
        """Return the cache of a context that the model has read nothing of."""
        return DynamicCache()

    @torch.inference_mode()
    def next(self, tokens: Sequence[int], cache: Any, columns: Sequence[int], version_id: str | None) -> list[float]:
        """Feed tokens after those in `cache`; return log-probabilities of the tokens `columns` after the last one."""
        with self._lock:
            self._activate(version_id)
            given = torch.tensor([tokens], device=self._model.device)
            hidden = self._model.base_model(input_ids=given, cache=cache, use_cache=cache is not None).last_hidden_state
            head = self._model.get_output_embeddings().weight[columns]
            found: list[float] = torch.log_softmax((head @ hidden[0, -1]).float(), -1).tolist()
        return found

    def _load_adapter(self, version_id: str, folder: Path) -> None:
        self._made += 1
        name = f"adapter_{self._made}"
        with self._lock, quiet_peft():
            if self._peft is None:
                self._peft = PeftModel.from_pretrained(self._model, str(folder), adapter_name=name)
            else:
                self._peft.load_adapter(str(folder), adapter_name=name)
            self._peft.eval()
            self._names[version_id] = name
            self._active = None

    def _remove_adapter(self, version_id: str) -> None:
        with self._lock:
            name = self._names.pop(version_id)
            self._active = None
            if self._names:
                another = next(iter(self._names.values()))  # the active one can't be deleted
                self._peft.set_adapter(another, inference_mode=True)
                self._peft.delete_adapter(name)
            else:
                self._model, self._peft = self._peft.unload(), None

    def _activate(self, version_id: str | None) -> None:
        if self._peft is None or self._active == (version_id or "none"):
            return
        if version_id is None:
            self._peft.base_model.disable_adapter_layers()
        else:
            self._peft.base_model.enable_adapter_layers()
            self._peft.set_adapter(self._names[version_id], inference_mode=True)
        self._active = version_id or "none"
