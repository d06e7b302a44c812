"""The predictors of versions: one base model in memory, one reader for each stream."""

from collections.abc import Callable, Set
from pathlib import Path
from typing import Any

from memo.core.errors import MemoError
from memo.core.logs import get_logger
from memo.core.predictions import BUILTIN as BUILTIN
from memo.core.predictions import HISTORY
from memo.core.settings import ModelSettings
from worker.predictors.language_model.builtin_model import BuiltinModel
from worker.predictors.language_model.language import LanguageModel, UnlikeTraining
from worker.predictors.language_model.time_limited_reader import TimeLimitedReader
from worker.predictors.language_model.weights import BUILTIN as BUILTIN_BASE
from worker.predictors.mixed import MixedPredictor
from worker.predictors.reader import Reader

BUILTIN_ADAPTER = BUILTIN_BASE / "adapter"

log = get_logger(__name__)


def load_model(settings: ModelSettings) -> LanguageModel:
    """Return the base model of the settings. Raises MemoError if it can't be loaded."""
    if settings.base == BUILTIN and settings.device != "cuda":
        return BuiltinModel(threads=settings.threads)
    from worker.predictors.language_model.transformers_model import TransformersModel  # torch takes seconds

    return TransformersModel.load(settings.base, settings.device, settings.threads)


class Serving:
    """Holds the base model, shared by all versions and scopes and loaded on demand.

    With a `limit_s`, history answers alone whenever the model takes longer.
    """

    def __init__(self, settings: ModelSettings, limit_s: float | None = None) -> None:
        self._settings, self._limit_s = settings, limit_s
        self._model: LanguageModel | None = None
        self.problem = ""
        """Why history answers alone although a version was asked for; empty while nothing is wrong."""
        self.unlike: set[str] = set()
        """Versions that answer otherwise than when they were trained."""

    def load(self) -> LanguageModel:
        """Return the base model. Raises MemoError if it can't be loaded."""
        if self._model is None:
            self._model = load_model(self._settings)
        return self._model

    def predictor(self, version: str, folder: Path | None, weights: dict[str, Any] | None = None) -> MixedPredictor:
        """Return a predictor that has learned nothing but its weights."""
        return MixedPredictor(self.reader(version, folder), weights)

    def reader(self, version: str, folder: Path | None) -> Reader | None:
        """Return a version's reader; None if there is none, the model fails, or was never trained on our coding."""
        if version == HISTORY:
            return None
        try:
            model = self.load()
            adapter = self._adapter(model, version, folder)
        except MemoError as error:
            log.error("language_model_unavailable", version=version, reason=str(error))
            self.problem = str(error)
            if isinstance(error, UnlikeTraining):
                self.unlike.add(version)
            return None
        self.problem = ""
        if adapter is None:
            return None
        if self._limit_s is None:
            return model.reader(adapter)
        return TimeLimitedReader(model.reader(adapter, prepares=True), self._limit_s)

    def keep_only(self, versions: Set[str]) -> None:
        """Remove the adapters of all other versions from memory."""
        if self._model is not None:
            for version in set(self._model.versions) - versions - {BUILTIN}:
                self._model.drop_adapter(version)

    def _adapter(self, model: LanguageModel, version: str, folder: Path | None) -> str | None:
        if folder is None and self._settings.base == BUILTIN:
            folder = BUILTIN_ADAPTER
        if folder is None:
            return None
        model.add_adapter(version, folder)
        return version


def open_readers(settings: ModelSettings, version: str, folder: Path | None) -> Callable[[], Reader]:
    """Return a function that makes readers of a version. Raises MemoError if the model can't be loaded."""
    serving = Serving(settings)
    model = serving.load()
    adapter = serving._adapter(model, version, folder)
    return lambda: model.reader(adapter)


def open_predictor(settings: ModelSettings, version: str, folder: Path | None) -> MixedPredictor:
    """Return a predictor with a model of its own, for evaluation. Raises MemoError if that can't be loaded."""
    if version == HISTORY:
        return MixedPredictor()
    return MixedPredictor(open_readers(settings, version, folder)())
