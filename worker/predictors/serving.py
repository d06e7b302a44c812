"""The predictor of a version: one language model loaded, one reader for each stream."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from memo.errors import MemoError
from memo.logs import get
from memo.settings import ModelSettings
from worker.predictors.language import LanguageModel
from worker.predictors.mixed import MixedPredictor
from worker.predictors.patience import Patient
from worker.predictors.ranker import Reader

BUILTIN = "builtin"
"""The version of a fresh installation: the built-in base model with the adapter that ships with it."""
BUILTIN_ADAPTER = Path(__file__).parents[2] / "data" / "base" / "adapter"

log = get(__name__)


class Serving:
    """Holds the base model, shared by all versions and scopes; loads it when it is first needed.

    With a `limit_s`, history answers alone where the model takes longer over a prediction.
    """

    def __init__(self, settings: ModelSettings, limit_s: float | None = None) -> None:
        self._settings, self._limit_s = settings, limit_s
        self._model: LanguageModel | None = None
        self._adapters: set[str] = set()

    def load(self) -> LanguageModel:
        """The base model. Raises MemoError where it can't be loaded."""
        if self._model is None:
            self._model = LanguageModel.load(self._settings.base, self._settings.device, self._settings.threads)
        return self._model

    def predictor(self, version: str, folder: Path | None, weights: dict[str, Any] | None = None) -> MixedPredictor:
        """A predictor that has seen nothing yet.

        Where the model fails, or was never trained on our form of text, it answers from history alone.
        """
        try:
            model = self.load()
            adapter = self._adapter(model, version, folder)
            return MixedPredictor(self._reader(model, adapter) if adapter else None, weights)
        except MemoError as error:
            log.error("the language model is not available; history answers alone", version=version, reason=str(error))
            return MixedPredictor(None, weights)

    def _reader(self, model: LanguageModel, adapter: str) -> Reader:
        reader = model.reader(adapter)
        return Patient(reader, self._limit_s) if self._limit_s else reader

    def _adapter(self, model: LanguageModel, version: str, folder: Path | None) -> str | None:
        if folder is None and self._settings.base == BUILTIN:
            folder = BUILTIN_ADAPTER
        if folder is None:
            return None
        if version not in self._adapters:
            model.add_adapter(version, folder)
            self._adapters.add(version)
        return version


def open_readers(settings: ModelSettings, version: str, folder: Path | None) -> Callable[[], Reader]:
    """Makes readers of a version. Raises MemoError where the model can't be loaded."""
    serving = Serving(settings)
    model = serving.load()
    adapter = serving._adapter(model, version, folder)
    return lambda: model.reader(adapter)


def open_predictor(settings: ModelSettings, version: str, folder: Path | None) -> MixedPredictor:
    """A predictor of its own, to be judged. Raises MemoError where the model can't be loaded."""
    return MixedPredictor(open_readers(settings, version, folder)())
