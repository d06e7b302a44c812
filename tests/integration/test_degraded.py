"""Answers that are worse than they could be say so, and why."""

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import logging_restored
from stores import make_store
from typer.testing import CliRunner, Result

from cli import make
from cli.predictions import why
from db.engine import open_store
from db.intake import scopes
from db.prediction import versions
from memo.core.paths import Home
from memo.core.settings import Settings
from worker.predictors.serving import BUILTIN_ADAPTER

LINES = [f"2026-03-02 09:00:0{n} - Started app: {name}" for n, name in enumerate("abab")]


def cut(folder: Path) -> None:
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:100])


def empty(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("")


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def garble(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"peft_type": 7}')


@pytest.fixture
def torn(home: Home, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home whose active version has a torn adapter."""
    monkeypatch.setenv("MEMO_SCOPE", "ada@host")
    settings = Settings.load()
    make_store(settings, home)
    folder = home.models / "v0001"
    shutil.copytree(BUILTIN_ADAPTER, folder)
    store = open_store(settings, home)
    with store.write() as session:
        scopes.lock_scope(session, "ada@host")
        versions.add_version(session, "v0001", "ada@host", base="builtin", path="models/v0001", parent=None, metrics={})
        versions.record_active(session, "ada@host", "v0001")
    store.close()
    tear: Callable[[Path], None] = request.param
    tear(folder)


def memo(*words: str, text: str = "") -> Result:
    with logging_restored():
        return CliRunner().invoke(make(["predict"]), words, input=text)


@pytest.mark.parametrize("torn", [cut, empty, remove, garble], indirect=True)
@pytest.mark.usefixtures("torn")
def test_predict_with_a_torn_adapter_says_so(tmp_path: Path) -> None:
    says = "History alone answers, without the language model: "
    done = memo("predict", *LINES)
    assert done.exit_code == 0 and done.stderr.startswith(says), done.output
    assert json.loads(memo("predict", *LINES, "--json").stdout)["degraded"].startswith(says)
    file = tmp_path / "lines.txt"
    file.write_text("".join(f"{line}\n" for line in LINES))
    assert memo("predict", str(file)).stderr.count(says) == 1
    [answer] = memo("predict", "--stream", text=f"{json.dumps({'window': LINES})}\n").stdout.splitlines()
    assert json.loads(answer)["degraded"].startswith(says)


def test_predict_with_a_whole_adapter_says_nothing(home: Home) -> None:
    done = memo("predict", *LINES, "--json")
    assert done.stderr == "" and "degraded" not in json.loads(done.stdout)


@pytest.mark.parametrize("events", [1, 2])
def test_why_of_a_prediction_without_candidates(capsys: pytest.CaptureFixture[str], events: int) -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("candidates", "places", "person", "reasons", "place_reasons", "person_reasons"), []
    )
    found = nothing | {"id": 1, "at": datetime.now().astimezone(), "past": None, "handlers": [], "problem": ""}
    why._show(found | {"events": events}, Settings())
    shown = capsys.readouterr().out.splitlines()
    assert shown[1:] == [why.WORDS["en"]["nothing"].format(events)]
