"""Many scopes in one worker: each under its own version, over one base model."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from resources import new_resources
from safetensors.numpy import load_file, save_file
from sqlalchemy import select
from stores import store_events

from data.synthetic.people import SAMPLE_START, Person, stream
from db.intake import scopes
from db.models import PredictionRow
from db.prediction import versions
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.store import manifest
from worker.prediction import scope_models
from worker.prediction.scope_models import ScopeModels
from worker.prediction.update import ScopeUpdater
from worker.predictors.language_model.builtin_model import BuiltinModel
from worker.predictors.language_model.language import ADAPTER_WEIGHTS, LanguageModel
from worker.predictors.language_model.transformers_model import TransformersModel
from worker.predictors.serving import BUILTIN_ADAPTER, Serving
from worker.resources import Resources

NOBODY = "redis://127.0.0.1:1/0"
PEOPLE = {"ada@host": 1, "bob@host": 2}
BEFORE, AFTER = 90, 12  # events of each before the first prediction, and those of which each gets one


@pytest.fixture
def opened(home: Home) -> Iterator[Resources]:
    with resources(home) as made:
        yield made


@contextmanager
def resources(home: Home) -> Iterator[Resources]:
    with new_resources(Settings(broker_url=NOBODY, scope="ada@host"), home) as made:
        yield made


def make_adapter(folder: Path, factor: float) -> Path:
    """Make an adapter like the built-in one, whose updates are `factor` times as large."""
    shutil.copytree(BUILTIN_ADAPTER, folder)
    tensors = load_file(folder / ADAPTER_WEIGHTS)
    changed = {name: np.float32(factor) * one if "lora_B" in name else one for name, one in tensors.items()}
    save_file(changed, folder / ADAPTER_WEIGHTS)
    manifest.write(folder, manifest.read(folder))
    return folder


def activate(opened: Resources, scope: str, number: int) -> None:
    """Let a version of its own serve a scope."""
    name = f"v{number:04}"
    make_adapter(opened.home.models / name, 1 + number / 2)
    with opened.store.write() as session:
        scopes.lock_scope(session, scope)
        versions.add_version(session, name, scope, base="builtin", path=f"models/{name}", parent=None, metrics={})
        versions.record_active(session, scope, name)


def store(opened: Resources, scope: str, happened: list[Event]) -> None:
    with opened.store.write() as session:
        store_events(session, scope, happened)


def serve(opened: Resources, served: list[str], held: int) -> tuple[dict[str, list[Any]], ScopeUpdater]:
    """Store what happens to all people in turn, and answer the scopes `served`; the answers of each."""
    updater = ScopeUpdater(opened)
    updater.models = ScopeModels(opened, Serving(opened.settings.model), held)
    happened = {scope: stream(Person(number), 2, SAMPLE_START) for scope, number in PEOPLE.items()}
    for scope, number in PEOPLE.items():
        activate(opened, scope, number)
        store(opened, scope, happened[scope][:BEFORE])
    for nth in range(BEFORE, BEFORE + AFTER):
        for scope in served:
            store(opened, scope, [happened[scope][nth]])
            updater.update(scope)
            assert len(updater.models.held) <= held
            assert len(updater.models.serving.load().versions) <= held
    return {scope: answers(opened, scope) for scope in served}, updater


def answers(opened: Resources, scope: str) -> list[Any]:
    """The version of each prediction, its candidates, the person's actions, and the places."""
    with opened.store.read() as session:
        query = select(PredictionRow).where(PredictionRow.scope == scope).order_by(PredictionRow.id)
        rows = session.scalars(query).all()
        assert all(row.with_model for row in rows)
        return [(row.model_version, named(row.candidates), named(row.person), row.places) for row in rows]


def named(entries: list[dict[str, Any]]) -> dict[str, float]:
    """The probability of each action."""
    return {json.dumps(entry["action"]): entry["probability"] for entry in entries}


@pytest.mark.parametrize(("held", "reading"), [(1, 1), (2, 1), (2, 2)])
def test_each_scope_is_answered_as_if_it_were_alone(
    opened: Resources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int, reading: int
) -> None:
    """With one model that reads, each adapter leaves the memory after each answer and comes back for the next one."""
    monkeypatch.setattr(scope_models, "READING", reading)
    together, updater = serve(opened, list(PEOPLE), held)
    assert updater.models.serving.load().versions == ["v0001", "v0002"][-reading:]
    assert [model.rests for model in updater.models.held.values()] == [True] * (held - reading) + [False] * reading
    for scope, number in PEOPLE.items():
        monkeypatch.setenv("MEMO_HOME", str(tmp_path / str(number)))
        with resources(Home.find()) as other:
            alone, _ = serve(other, [scope], held=1)
        assert {version for version, *_ in alone[scope]} == {f"v{number:04}"} and len(alone[scope]) == AFTER
        for one, other in zip(together[scope], alone[scope], strict=True):
            assert one[1:3] == tuple(pytest.approx(entry, abs=1e-4) for entry in other[1:3])
            assert one[3] == other[3]


LOADERS: dict[str, Callable[[], LanguageModel]] = {
    "numpy": BuiltinModel,
    "transformers": lambda: TransformersModel.load("builtin", "cpu", 1),
}


@pytest.mark.parametrize("name", LOADERS)
def test_adapters_share_the_storage_of_the_base(name: str, tmp_path: Path) -> None:
    model = LOADERS[name]()
    base = storages(model)
    size = (BUILTIN_ADAPTER / ADAPTER_WEIGHTS).stat().st_size
    for number in (1, 2):
        before = storages(model)
        model.add_adapter(f"v{number}", make_adapter(tmp_path / f"v{number}", number))
        new = {place: count for place, count in storages(model).items() if place not in before}
        assert storages(model).items() >= base.items(), "the weights stay where they were"
        assert size / 2 < sum(new.values()) < 2 * size < sum(base.values()) / 5
    for number in (1, 2):
        model.drop_adapter(f"v{number}")
    assert storages(model) == base


def storages(model: LanguageModel) -> dict[int, int]:
    """The size in bytes of the storage of each weight, by its address."""
    if isinstance(model, TransformersModel):
        weights = model._model.parameters()
        return {weight.untyped_storage().data_ptr(): weight.untyped_storage().nbytes() for weight in weights}
    assert isinstance(model, BuiltinModel)
    layers = [array for layer in model._layers for array in vars(layer).values()]
    pairs = [pair for updates in model._updates.values() for layer in updates for pair in layer.values()]
    arrays = [model._embeddings, model._norm, *layers, *(array for pair in pairs for array in pair)]
    return {array.__array_interface__["data"][0]: array.nbytes for array in arrays}
