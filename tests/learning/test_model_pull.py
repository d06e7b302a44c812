import hashlib
import json
import sys
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


def test_pull_records_where_a_model_is_from(model: Path, home: Home) -> None:
    folder = pull(str(model), home)
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert json.loads((folder / "pulled.json").read_text()) == {"from": str(model), "sha256": digest}


def test_pull_gguf_without_its_package_says_what_to_install(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.gguf").touch()
    monkeypatch.setitem(sys.modules, "gguf", None)
    for name in (tmp_path, tmp_path / "a.gguf"):
        with pytest.raises(MemoError, match="Reading a.gguf needs the package gguf; run .* install gguf"):
            pull(str(name), home)


def test_pull_folder_of_several_gguf_files_asks_which(tmp_path: Path, home: Home) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).touch()
    with pytest.raises(MemoError, match="2 GGUF files; name one of them"):
        pull(str(tmp_path), home)


@pytest.mark.parametrize(("name", "reason"), [("a.txt", "neither a folder nor a GGUF file"), ("b", "does not exist")])
def test_pull_path_without_a_model_says_why(tmp_path: Path, home: Home, name: str, reason: str) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(MemoError, match=reason):
        pull(str(tmp_path / name), home)


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
