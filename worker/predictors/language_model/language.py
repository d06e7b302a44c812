"""The language model that serves: one base model, an adapter for each version, a reader for each stream."""

import json
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from memo.core.errors import MemoError
from worker.predictors.language_model import probe
from worker.predictors.language_model.label_coding import Vocabulary
from worker.predictors.language_model.prompt import CausalModel, ModelReader

ADAPTER_WEIGHTS = "adapter_model.safetensors"


class UnlikeTraining(MemoError):
    """A version answers the probe differently than when it was trained, or lies on other weights of its base model."""


class LanguageModel(CausalModel):
    """One base model in memory, shared by its adapters."""

    def __init__(self, base: str, words: Vocabulary, fingerprint: str) -> None:
        self.base, self.words = base, words
        self._fingerprint = fingerprint
        self.versions: list[str] = []
        """The versions whose adapters are loaded."""
        self._probed: set[str] = set()

    def add_adapter(self, version_id: str, folder: Path) -> None:
        """Load a version's adapter, unless it is loaded.

        Raises MemoError if it is missing or damaged, UnlikeTraining if it was trained on other weights or answers
        differently than when it was trained.
        """
        if version_id in self.versions:
            return
        try:
            description = json.loads((folder / "version.json").read_text("utf-8"))
            if description["base_fingerprint"] != self._fingerprint:
                raise UnlikeTraining(
                    f"Version {version_id} was trained on other weights than {self.base}; run memo train again."
                )
            with safe_open(folder / ADAPTER_WEIGHTS, "numpy"):  # a torn one must not be half loaded
                pass
            self._load_adapter(version_id, folder)
            self._probe(version_id, description.get("probe"))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise MemoError(f"Version {version_id} can't be loaded from {folder}; activate another.") from error
        self.versions.append(version_id)

    def _probe(self, version_id: str, trained: Sequence[float] | None) -> None:
        """Compare what a loaded version answers, once in this process, with what it answered in its training."""
        if trained is None or version_id in self._probed:  # earlier releases asked nothing
            return
        if not probe.is_alike(probe.ask(ModelReader(self, version_id)), trained):
            self._remove_adapter(version_id)
            raise UnlikeTraining(f"Version {version_id} answers differently than when it was trained.")
        self._probed.add(version_id)

    def drop_adapter(self, version_id: str) -> None:
        """Remove a version's adapter from memory."""
        if version_id in self.versions:
            self.versions.remove(version_id)
            self._remove_adapter(version_id)

    def reader(self, version_id: str | None = None, prepares: bool = False) -> ModelReader:
        """Return a reader of one stream, with a version's adapter or with the base model alone."""
        if version_id is not None and version_id not in self.versions:
            raise KeyError(version_id)
        return ModelReader(self, version_id, prepares)

    @abstractmethod
    def _load_adapter(self, version_id: str, folder: Path) -> None: ...

    @abstractmethod
    def _remove_adapter(self, version_id: str) -> None: ...
