"""A worker without the language model, whose messages go nowhere."""

from types import SimpleNamespace
from typing import Any, cast

from db.engine import Store
from db.intake.events import LEARNED
from memo.core.paths import Home
from memo.core.settings import Settings
from worker.prediction.scope_models import ScopeModels
from worker.prediction.update import ScopeUpdater
from worker.predictors.mixed import MixedPredictor
from worker.predictors.serving import Serving
from worker.resources import Resources


class HistoryAlone(Serving):
    """Serves predictors without the language model."""

    def predictor(self, version: str, folder: object, weights: dict[str, Any] | None = None) -> MixedPredictor:
        """Return a predictor that has learned nothing but its weights."""
        return MixedPredictor(None, weights)

    def reader(self, version: str, folder: object) -> None:
        """Return no reader."""


def lone_updater(store: Store, settings: Settings, home: Home, learned: int = LEARNED) -> ScopeUpdater:
    """Return an updater whose models begin with `learned` events."""
    nowhere = cast(Any, SimpleNamespace(publish=lambda messages: None, send_task=lambda *given, **options: None))
    resources = Resources(home, settings, store, nowhere, nowhere)
    updater = ScopeUpdater(resources)
    updater.models = ScopeModels(resources, HistoryAlone(settings.model), learned=learned)
    return updater
