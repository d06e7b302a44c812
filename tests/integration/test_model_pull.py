from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home
from training.pull import pull


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "my model"
    words = Tokenizer(WordLevel({"a": 0, "?": 1}, unk_token="?"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words)  # type: ignore[no-untyped-call]
    config = LlamaConfig(
        vocab_size=2, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, head_dim=8
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_pull_folder_saves_a_base_model(model: Path, home: Home) -> None:
    folder = pull(str(model), home)
    assert folder == home.models / "base-my-model"
    assert AutoModelForCausalLM.from_pretrained(folder).config.hidden_size == 8


def test_pull_folder_without_a_model_raises(tmp_path: Path, home: Home) -> None:
    with pytest.raises(MemoError, match="no causal language model"):
        pull(str(tmp_path), home)
    assert not list(home.models.glob("base-*"))


def test_pull_unknown_name_says_what_to_do(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MemoError, match="check the name and the network"):
        pull("nobody/nothing", home)


def test_pull_without_a_network_fails_at_once(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    tries: list[float] = []
    monkeypatch.setattr("time.sleep", tries.append)
    with pytest.raises(MemoError, match="check the name and the network"):
        pull("nobody/nothing", home)
    assert tries == []


@pytest.mark.parametrize("name", ["", "/", ".."])
def test_pull_impossible_name_raises(home: Home, name: str) -> None:
    with pytest.raises(UsageError):
        pull(name, home)
