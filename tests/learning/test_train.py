"""Fine-tuning: it learns, is deterministic, and resumes a killed run with the same result."""

import json
import math
import random
import string
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from data.synthetic.people import SAMPLE_START, Person, stream
from memo.core.errors import MemoError
from memo.core.events import Action, Event, Operation
from memo.core.predictions import Answer
from memo.core.settings import Settings, TrainSettings
from training.build_version import compute_digest, train_adapter
from training.fitting import fine_tune
from training.fitting.examples import Example, GivenAnswer, compute_loss, cut_chunks
from training.fitting.fine_tune import train
from worker.predictors.language_model import probe
from worker.predictors.language_model.builtin_model import BuiltinModel
from worker.predictors.language_model.language import UnlikeTraining
from worker.predictors.language_model.loading import count_weights, load_base
from worker.predictors.language_model.transformers_model import TransformersModel

EVENTS = stream(Person(2), 2, SAMPLE_START)[:400]
START = Operation.PROCESS_START
SETTINGS, ONCE = TrainSettings(epochs=2, rank=2), TrainSettings(epochs=1, rank=2)


class Killed(Exception):
    pass


def quiet(done: int, total: int, loss: float) -> None:
    """Ignore progress."""


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(str(folder / "adapter_model.safetensors"))


def test_train_killed_resumes_and_ends_in_the_same_adapter(tmp_path: Path) -> None:
    def kill(done: int, total: int, loss: float) -> None:
        if done == total - 1:
            raise Killed

    metrics = train(EVENTS, "builtin", tmp_path / "whole", SETTINGS, quiet, "cpu", checkpoint_steps=2)
    with pytest.raises(Killed):
        train(EVENTS, "builtin", tmp_path / "killed", SETTINGS, kill, "cpu", checkpoint_steps=2)
    assert (tmp_path / "killed" / "checkpoint").is_dir()
    resumed: list[int] = []

    def note(done: int, total: int, loss: float) -> None:
        resumed.append(done)

    again = train(EVENTS, "builtin", tmp_path / "killed", SETTINGS, note, "cpu", checkpoint_steps=2)
    assert resumed[0] > 1
    assert again == metrics
    whole, killed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    assert not (tmp_path / "killed" / "checkpoint").exists()


def test_train_adapter_describes_itself_and_serves(tmp_path: Path) -> None:
    habit = [Event(SAMPLE_START + timedelta(seconds=9 * n), START, f"{n % 60 // 3}.exe") for n in range(400)]
    metrics = train(habit, "builtin", tmp_path / "v1", SETTINGS, quiet, "cpu")
    assert metrics["held_out_loss"] < metrics["held_out_loss_of_base"]
    description = json.loads((tmp_path / "v1" / "version.json").read_text())
    assert description["metrics"] == metrics
    assert description["data"] == {
        "from": habit[0].at.isoformat(), "to": habit[-1].at.isoformat(), "events": len(habit)
    }  # fmt: skip
    model = TransformersModel.load("builtin", "cpu", 1)
    model.add_adapter("v1", tmp_path / "v1")
    reader = model.reader("v1")
    reader.read(EVENTS[0])
    assert reader.scores().new <= 0


def test_version_answers_as_it_was_trained(tmp_path: Path) -> None:
    """The two ways to run the built-in model give the same answers; a version that answers differently is refused."""
    train(EVENTS, "builtin", tmp_path / "v1", SETTINGS, quiet, "cpu")
    file = tmp_path / "v1" / "version.json"
    description = json.loads(file.read_text())
    for model in (BuiltinModel(), TransformersModel.load("builtin", "cpu", 1)):
        model.add_adapter("v1", tmp_path / "v1")
        assert probe.ask(model.reader("v1")) == pytest.approx(description["probe"], abs=1e-4)
        assert probe.ask(model.reader()) != pytest.approx(description["probe"], abs=1e-3), "the base alone"
    (tmp_path / "v1" / "version.json").write_text(
        json.dumps(description | {"probe": [-9.0] * len(description["probe"])})
    )
    fresh = BuiltinModel()
    with pytest.raises(UnlikeTraining, match="Version v1 answers differently than when it was trained"):
        fresh.add_adapter("v1", tmp_path / "v1")
    assert fresh.versions == []


def test_train_records_the_parent(tmp_path: Path) -> None:
    train(EVENTS[:200], "builtin", tmp_path / "v2", ONCE, quiet, "cpu", "v1")
    assert json.loads((tmp_path / "v2" / "version.json").read_text())["parent"] == "v1"


def test_train_works_on_any_causal_model(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pairs = [f" {a}{b}" for a in string.ascii_uppercase[:10] for b in string.ascii_letters]
    texts = [*pairs * 3, *(event.target for event in EVENTS), " new start end focus visit access usage 0123456;"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=1200, initial_alphabet=alphabet))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)  # type: ignore[no-untyped-call]
    config = Qwen3Config(vocab_size=1200, hidden_size=32, intermediate_size=64, num_hidden_layers=1, head_dim=16)
    Qwen3ForCausalLM(config).save_pretrained(folder)
    train(EVENTS[:200], str(folder), tmp_path / "v1", ONCE, quiet, "cpu")
    model = TransformersModel.load(str(folder), "cpu", 1)
    model.add_adapter("v1", tmp_path / "v1")
    reader = model.reader("v1")
    for event in EVENTS[:300]:
        reader.read(event)
    assert sum(map(math.exp, [*reader.scores().actions.values(), reader.scores().new])) == pytest.approx(1, abs=1e-4)
    assert len(set(model.words.labels)) == len(model.words.labels) > 64


def test_train_on_a_cpu_keeps_to_the_newest_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(EVENTS, "builtin", tmp_path / "whole", ONCE, quiet, "cpu")
    tokens = fine_tune.STEP_CHUNKS * fine_tune.CHUNK_TOKENS
    monkeypatch.setattr(fine_tune, "CPU_WORK", count_weights("builtin") * tokens)
    newest = train(EVENTS, "builtin", tmp_path / "newest", ONCE, quiet, "cpu")
    assert newest["steps"] == 1 < whole["steps"]


def test_train_too_large_a_model_on_a_cpu_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tune, "CPU_WORK", 1e9)
    monkeypatch.setattr(fine_tune, "load_base", None)
    with pytest.raises(MemoError, match="Training builtin needs a GPU: it has 0.0 billion weights"):
        train(EVENTS, "builtin", tmp_path, ONCE, quiet, "cpu")


def test_equal_adapters_are_equal_files(tmp_path: Path) -> None:
    """In this process peft keeps the names in the same order each time, in another process in another one."""
    train(EVENTS, "builtin", tmp_path, ONCE, quiet, "cpu")
    modules = json.loads((tmp_path / "adapter_config.json").read_text())["target_modules"]
    assert len(modules) == 7 and modules == sorted(modules)


def test_train_adapts_the_last_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tune, "ADAPTED", 3)
    train(EVENTS, "builtin", tmp_path, ONCE, quiet, "cpu")
    adapted = {name.split(".lora_")[0].removeprefix("base_model.model.model.") for name in weights(tmp_path)}
    assert adapted == {f"layers.3.mlp.{part}_proj" for part in ("gate", "up", "down")}


def test_train_adapter_on_too_few_events_raises(tmp_path: Path) -> None:
    with pytest.raises(MemoError, match="20 events are too few to train on; 200 are needed"):
        train_adapter(EVENTS[:20], Settings(train=SETTINGS), tmp_path, lambda _done, _total: None)


FOCUS = Operation.WINDOW_FOCUS
TITLES = [
    Event(SAMPLE_START + timedelta(seconds=9 * n), FOCUS, f"title {n % 7}", f"app {n % 7 % 3}") for n in range(60)
]


def given(number: int, about: Action, answer: Answer) -> GivenAnswer:
    """Return an answer that is given just after an event about what is suggested there."""
    event = TITLES[number]
    return GivenAnswer(event.at + timedelta(seconds=1), event.action.identity, about, answer)


def chunk(*answers: GivenAnswer) -> Example:
    [example] = cut_chunks(TITLES, load_base("builtin", "cpu").words, 1024, random.Random(0), answers)
    return example


def test_answer_is_an_example_where_it_was_suggested() -> None:
    plain = chunk()
    asked = chunk(given(20, TITLES[3].action.identity, Answer.YES), given(20, TITLES[4].action, Answer.NEVER))
    assert asked.tokens == plain.tokens
    [yes, never] = [n for n, position in enumerate(asked.positions) if asked.positions.count(position) > 1][:2]
    assert [asked.targets[n] for n in (yes, never)] == [4, 5]
    assert [asked.refused[n] for n in (yes, never)] == [False, True]
    assert sum(asked.refused) == 1 and len(asked.targets) == len(plain.targets) + 2


def test_answer_about_an_app_is_one_about_its_window() -> None:
    asked = chunk(given(20, Action(FOCUS, "", "app 0"), Answer.NO))
    assert [target for target, refused in zip(asked.targets, asked.refused, strict=True) if refused] == [7]


@pytest.mark.parametrize(
    "unknown",
    [
        given(20, Action(FOCUS, "never seen", "app 9"), Answer.NO),
        given(20, TITLES[3].action, Answer.NO)._replace(after=Action(FOCUS, "never seen", "app 9")),
        given(59, TITLES[3].action, Answer.NO),
    ],
    ids=["about what is not there", "after what is not there", "after the last event"],
)
def test_answer_without_its_events_teaches_nothing(unknown: GivenAnswer) -> None:
    assert chunk(unknown) == chunk()


def test_answers_without_any_event_change_no_digest() -> None:
    answers = [given(20, TITLES[3].action, Answer.NO)]
    assert compute_digest([], answers, Settings()) == compute_digest([], [], Settings())
    assert compute_digest(TITLES, answers, Settings()) != compute_digest(TITLES, [], Settings())


def test_refused_action_costs_its_probability() -> None:
    model = load_base("builtin", "cpu").model
    example = chunk(given(20, TITLES[3].action, Answer.NO))
    [number] = [n for n, refused in enumerate(example.refused) if refused]
    for name in ("positions", "targets", "live", "refused"):
        setattr(example, name, [getattr(example, name)[number]])
    refused = compute_loss(model, [example]).item()
    example.refused = [False]
    assert math.exp(-refused) + math.exp(-compute_loss(model, [example]).item()) == pytest.approx(1)
    example.weight = 0.5
    assert math.exp(-2 * compute_loss(model, [example]).item()) == pytest.approx(1 - math.exp(-refused))


def test_refused_action_becomes_less_likely(tmp_path: Path) -> None:
    habit = [Event(SAMPLE_START + timedelta(seconds=9 * n), START, f"{n % 6}.exe") for n in range(600)]
    refused = Action(START, "1.exe")
    answers = [GivenAnswer(one.at, one.action, refused, Answer.NEVER) for one in habit[:500] if one.target == "0.exe"]
    found = []
    for name, told in (("plain", ()), ("told", answers)):
        train(habit, "builtin", tmp_path / name, TrainSettings(epochs=8), quiet, "cpu", answers=told)
        model = BuiltinModel()
        model.add_adapter(name, tmp_path / name)
        reader = model.reader(name)
        for event in habit[:61]:
            reader.read(event)
        found.append(reader.scores().actions[refused])
    plain, told_never = found
    assert told_never < 5 * plain < 0


def test_recent_chunks_weigh_three_times_the_oldest() -> None:
    words = load_base("builtin", "cpu").words
    plan = fine_tune._plan_steps(stream(Person(2), 4, SAMPLE_START), (), words, ONCE, 1000)
    weights = sorted(example.weight for batch in plan for example in batch)
    assert len(weights) > 9 and sum(weights) / len(weights) == pytest.approx(1)
    assert weights[0] == pytest.approx(0.5, abs=0.05) and weights[-1] == pytest.approx(1.5, abs=0.05)
