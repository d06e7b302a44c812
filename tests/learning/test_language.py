"""The serving model: reading step by step says what reading at once says, and adapters don't mix."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from data.synthetic.people import SAMPLE_START, Person, stream
from memo.core.errors import MemoError
from memo.core.events import CONTEXT, Event
from worker.predictors.language_model import loading
from worker.predictors.language_model.builtin_model import BuiltinModel
from worker.predictors.language_model.label_coding import Coder
from worker.predictors.language_model.language import LanguageModel
from worker.predictors.language_model.loading import load_base
from worker.predictors.language_model.prompt import CONTEXT_TOKENS, PART_TOKENS, ModelReader
from worker.predictors.language_model.transformers_model import TransformersModel
from worker.predictors.language_model.weights import BUILTIN
from worker.predictors.reader import Scores
from worker.predictors.serving import BUILTIN_ADAPTER

EVENTS = stream(Person(1), 2, SAMPLE_START)[:300]


LOADERS: dict[str, Callable[[], LanguageModel]] = {
    "numpy": BuiltinModel,
    "transformers": lambda: TransformersModel.load("builtin", "cpu", 1),
}


@pytest.fixture(scope="module", params=LOADERS)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return LOADERS[request.param]()


def fed(reader: ModelReader, events: list[Event]) -> Scores:
    for event in events:
        reader.read(event)
    return reader.scores()


def agree(one: Scores, other: Scores) -> None:
    assert one.actions == pytest.approx(other.actions, abs=1e-4)
    assert one.new == pytest.approx(other.new, abs=1e-4)


def test_reading_step_by_step_says_what_reading_at_once_says(model: LanguageModel) -> None:
    step, starts = model.reader(), 0
    for n, event in enumerate(EVENTS, 1):
        before = len(step._prompts[-1])
        step.read(event)
        starts += len(step._prompts[-1]) < before
        said = step.scores()
        if n % 75 == 0:
            agree(said, fed(model.reader(), EVENTS[:n]))
    assert starts > 0


def test_the_cache_says_what_a_full_pass_says(model: LanguageModel) -> None:
    events = EVENTS[:60]
    step = model.reader()
    for event in events:
        step.read(event)
        said = step.scores()
    coder = Coder(model.words)
    tokens = [token for event in events for token in coder.write(event).tokens]
    whole = model.next(tokens, None, coder.columns[: len(coder.actions) + 1], None)
    agree(said, Scores(dict(zip(coder.actions, whole[1:], strict=True)), whole[0]))


def test_the_context_is_bounded_and_holds_the_newest(model: LanguageModel) -> None:
    reader = model.reader()
    for event in EVENTS:
        reader.read(event)
        assert len(reader._prompts[-1]) <= CONTEXT_TOKENS + 32
        if event.operation not in CONTEXT:
            assert event.action in reader._prompts[-1]._coder.actions


def test_a_full_context_answers_until_the_new_one_is_prepared(model: LanguageModel) -> None:
    at_once, prepared = model.reader(), model.reader(prepares=True)
    for event in EVENTS:
        full = prepared._prompts[0]
        for reader in (at_once, prepared):
            reader.read(event)
            reader.scores()
        if len(prepared._prompts) == 2:
            break
    assert prepared._prompts[0] is full
    left = prepared._prompts[1].unfed
    assert left > PART_TOKENS, "asking fed only the full one"
    while prepared.lags:
        prepared.prepare()
        assert left - prepared._prompts[1].unfed == min(left, PART_TOKENS)
        left = prepared._prompts[1].unfed
    agree(prepared.scores(), at_once.scores())
    assert prepared._prompts != [full]


def test_a_reader_that_fell_behind_reads_the_newest_context(model: LanguageModel) -> None:
    reader = model.reader(prepares=True)
    agree(fed(reader, EVENTS), fed(model.reader(), EVENTS))


def test_probabilities_are_whole_and_scores_of_nothing_are_empty(model: LanguageModel) -> None:
    import math

    said = fed(model.reader(), EVENTS[:200])
    assert sum(map(math.exp, [*said.actions.values(), said.new])) == pytest.approx(1, abs=1e-5)
    assert model.reader().scores() == Scores()


def test_both_ways_to_run_the_builtin_model_agree() -> None:
    said = []
    for load in LOADERS.values():
        model = load()
        model.add_adapter("v1", BUILTIN_ADAPTER)
        said.append([fed(model.reader(version), EVENTS[:200]) for version in (None, "v1")])
    for one, other in zip(*said, strict=True):
        agree(one, other)


@pytest.mark.parametrize("name", LOADERS)
def test_adapters_share_the_base_and_do_not_mix(name: str) -> None:
    model = LOADERS[name]()
    alone = fed(model.reader(), EVENTS[:100])
    model.add_adapter("one.1", BUILTIN / "adapter")
    model.add_adapter("two", BUILTIN / "adapter")
    adapted = fed(model.reader("one.1"), EVENTS[:100])
    agree(fed(model.reader("two"), EVENTS[:100]), adapted)
    agree(fed(model.reader(), EVENTS[:100]), alone)
    assert adapted.new != pytest.approx(alone.new, abs=1e-3)
    model.drop_adapter("one.1")
    agree(fed(model.reader("two"), EVENTS[:100]), adapted)
    model.drop_adapter("two")
    agree(fed(model.reader(), EVENTS[:100]), alone)
    assert model.versions == []


def test_what_cannot_be_loaded_is_named(model: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(MemoError, match="no/such-model"):
        TransformersModel.load("no/such-model", "cpu", 1)
    with pytest.raises(MemoError, match="v9"):
        model.add_adapter("v9", tmp_path)
    shutil.copytree(BUILTIN / "adapter", tmp_path / "other")
    story = json.loads((tmp_path / "other" / "version.json").read_text()) | {"base_fingerprint": "another"}
    (tmp_path / "other" / "version.json").write_text(json.dumps(story))
    with pytest.raises(MemoError, match="other weights"):
        model.add_adapter("v10", tmp_path / "other")
    (tmp_path / "other" / "adapter_model.safetensors").write_bytes(b"broken")
    (tmp_path / "other" / "version.json").write_text((BUILTIN / "adapter" / "version.json").read_text())
    with pytest.raises(MemoError, match="v11"):
        model.add_adapter("v11", tmp_path / "other")


def test_readers_of_two_adapters_may_ask_at_once() -> None:
    language = TransformersModel.load()
    for name in ("one", "other"):
        language.add_adapter(name, BUILTIN_ADAPTER)
    with torch.no_grad():  # the other one says something else
        for key, weight in language._peft.named_parameters():
            if f"{language._names['other']}." in key and "lora_B" in key:
                weight.add_(0.5)
    tokens, columns = list(range(1, 40)), list(range(20))
    alone = {name: language.next(tokens, None, columns, name) for name in ("one", "other")}
    assert alone["one"] != alone["other"]
    with ThreadPoolExecutor(2) as threads:
        asked = [(name, threads.submit(language.next, tokens, None, columns, name)) for name in ("one", "other") * 40]
    assert all(answer.result() == alone[name] for name, answer in asked)


def test_other_weights_under_the_same_path_are_noticed(tmp_path: Path) -> None:
    base = shutil.copytree(BUILTIN, tmp_path / "base", ignore=shutil.ignore_patterns("adapter"))
    TransformersModel.load(str(base), "cpu").add_adapter("v1", BUILTIN / "adapter")
    weights = load_file(base / "model.safetensors")
    save_file({name: weight + 1e-3 for name, weight in weights.items()}, base / "model.safetensors", {"format": "pt"})
    with pytest.raises(MemoError, match="v1 was trained on other weights"):
        TransformersModel.load(str(base), "cpu").add_adapter("v1", BUILTIN / "adapter")


@pytest.mark.parametrize(("seconds", "chosen"), [(0.1, torch.bfloat16), (0.9, torch.float32), (6.0, torch.float32)])
def test_a_cpu_that_is_slower_in_bfloat16_loads_in_float32(
    monkeypatch: pytest.MonkeyPatch, seconds: float, chosen: torch.dtype
) -> None:
    times = {torch.bfloat16: seconds, torch.float32: 1.0}
    monkeypatch.setattr(loading, "_time_product", times.__getitem__)
    assert load_base(str(BUILTIN), "cpu").model.dtype == chosen
    assert load_base("builtin", "cpu").model.dtype == torch.float32
