"""A hub model, fetched by its name from a hub on this machine."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from memo.core.paths import Home

COMMANDS = """
import os, sys
from urllib.request import urlopen
from cli import make
for words in sys.argv[1:]:
    name, *given = words.split("|")
    urlopen(f"{os.environ['HF_ENDPOINT']}/{name}").close()
    make([name])([name, *given], standalone_mode=False)
"""
"""Run several commands in one process, which loads torch once; the hub is told before each."""
NAME, COMMIT = "nobody/tiny", "0" * 40
MEMO = str(Path(sys.executable).with_name("memo"))


asked: list[str] = []  # paths requested from the hub
TOLD = ("/predict", "/model", "/train")
"""Paths that tell the hub which command begins."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Save a tiny model whose tokenizer has enough short tokens to serve as labels."""
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    found = tmp_path / "tiny"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pairs = [f" {a}{b}" for a in "ABCDEFGHIJ" for b in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=1200, initial_alphabet=alphabet)
    tokenizer.train_from_iterator([*pairs * 3, " new start end focus visit access usage 0123456;"], trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(found)  # type: ignore[no-untyped-call]
    config = Qwen3Config(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
    )
    Qwen3ForCausalLM(config).save_pretrained(found)
    return found


@pytest.fixture
def hub(folder: Path) -> Iterator[str]:
    """Provide the address of a hub that holds that one model."""

    asked.clear()

    class Hub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            asked.append(self.path)
            files = sorted(folder.iterdir())
            file = folder / Path(self.path.partition("?")[0]).name
            if self.path.startswith(f"/api/models/{NAME}/tree/"):
                tree = [{"type": "file", "path": one.name, "size": one.stat().st_size, "oid": COMMIT} for one in files]
                self._send(200, json.dumps(tree).encode(), body)
            elif self.path.startswith(f"/api/models/{NAME}"):
                info = {"id": NAME, "sha": COMMIT, "siblings": [{"rfilename": one.name} for one in files]}
                self._send(200, json.dumps(info).encode(), body)
            elif self.path.startswith(f"/{NAME}/resolve/") and file.is_file():
                self._send(200, file.read_bytes(), body)
            elif self.path in TOLD:
                self._send(200, b"", body)
            else:
                self._send(404, b"", body)

        def _send(self, status: int, content: bytes, body: bool) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            if status == 404:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_hub_model_is_pulled_trained_and_serves(hub: str, home: Home, tmp_path: Path) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
        "HOME": str(tmp_path),
        "HF_HOME": str(tmp_path / "hf"),
        "HF_ENDPOINT": hub,
        "HF_HUB_DISABLE_XET": "1",
        "MEMO_HOME": str(home.root),
        "MEMO_MODEL__BASE": NAME,
        "MEMO_TRAIN__EPOCHS": "1",
        "MEMO_TRAIN__MINIMUM_EVENTS": "50",
    }
    lines = tmp_path / "events.txt"
    lines.write_text(
        "".join(f"2026-03-02 09:{n // 60:02}:{n % 60:02} - Started app: {'abcd'[n % 4]}\n" for n in range(200))
    )

    def memo(*commands: tuple[str, ...]) -> list[str]:
        words = [sys.executable, "-P", "-c", COMMANDS, *map("|".join, commands)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout.splitlines()

    asking = ("predict", "2026-03-02 10:00:00 - Started app: a", "--json")
    assert any("tiny" in line for line in memo(asking, ("model", "pull", NAME))[1:])
    assert asked[:2] == ["/predict", "/model"], "a missing model is only looked for on this machine"
    assert (home.models / "base-tiny" / "config.json").is_file()
    assert len(asked) > 2
    asked.clear()
    *_, predicted, listed = memo(("train", str(lines), "--activate"), asking, ("model", "list", "--json"))
    first, *_ = json.loads(predicted)["candidates"]
    assert first["action"]["target"] == "a"
    assert asked == ["/train", "/predict", "/model"], "a pulled model needs no hub"
    [version] = json.loads(listed)
    assert version["base"] == NAME
