"""Answers that are worse than they could be say so, and why."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from calling import memo
from stores import make_store

from cli.predictions import why
from cli.stack import status
from db.engine import open_store
from db.intake import scopes
from db.prediction import versions
from db.upkeep import health
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.store import manifest
from training import build_version
from worker.predictors.serving import BUILTIN_ADAPTER

SCOPE = "ada@host"
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


def replace(folder: Path) -> None:
    """Put another version in its place, which is whole."""
    (folder / "adapter_config.json").write_text("{}")
    manifest.write(folder, manifest.read(folder))


@pytest.fixture
def two_versions(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose active version replaced another one."""
    monkeypatch.setenv("MEMO_SCOPE", SCOPE)
    settings = Settings.load()
    make_store(settings, home)
    store = open_store(settings, home)
    content = manifest.read(BUILTIN_ADAPTER)["content"]
    for name in ("v0001", "v0002"):
        shutil.copytree(BUILTIN_ADAPTER, home.models / name)
        with store.write() as session:
            scopes.lock_scope(session, SCOPE)
            metrics = {"content": content}
            versions.add_version(session, name, SCOPE, base="builtin", path=name, parent=None, metrics=metrics)
            build_version.activate(session, SCOPE, name)
    store.close()
    return home


def find_usable(home: Home) -> versions.Usable:
    settings = Settings.load()
    with closing(open_store(settings, home)) as store, store.read() as session:
        return versions.find_usable(session, home, settings.model.base, SCOPE, SCOPE)


@pytest.mark.parametrize("tear", [cut, empty, remove, garble, replace])
def test_torn_version_is_replaced_by_the_one_before(two_versions: Home, tear: Callable[[Path], None]) -> None:
    assert find_usable(two_versions) == ("v0002", two_versions.models / "v0002", "")
    tear(two_versions.models / "v0002")
    name, folder, problem = find_usable(two_versions)
    assert (name, folder) == ("v0001", two_versions.models / "v0001")
    assert problem.startswith("Version v0002 is not used: ") and problem.endswith("; v0001 serves instead.")
    tear(two_versions.models / "v0001")
    name, folder, problem = find_usable(two_versions)
    assert (name, folder) == ("builtin", None)
    assert problem.startswith("Version v0002 is not used: ")
    assert problem.endswith("; the built-in version serves instead.")


def test_under_another_base_history_alone_serves(two_versions: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_MODEL__BASE", "another/base")
    name, folder, problem = find_usable(two_versions)
    assert (name, folder) == ("history", None) and problem.endswith("; history alone serves instead.")


def test_version_of_another_base_is_not_used(two_versions: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_MODEL__BASE", "/another")
    assert "it was trained on builtin, but model.base is /another" in find_usable(two_versions).problem


def test_status_and_page_name_a_torn_version(two_versions: Home) -> None:
    cut(two_versions.models / "v0002")
    settings = Settings.load()
    with closing(open_store(settings, two_versions)) as store, store.read() as session:
        [problem] = health.find_problems(session, settings, two_versions, is_running=False)
    assert problem == find_usable(two_versions).problem != ""


def test_doctor_names_a_torn_version_once(two_versions: Home) -> None:
    cut(two_versions.models / "v0002")
    found = {check["check"]: check for check in json.loads(memo("doctor", "--json").stdout)}
    assert found["store"]["ok"] and not found["model"]["ok"], found
    assert found["model"]["says"] == find_usable(two_versions).problem


def test_status_names_the_version_that_serves(two_versions: Home) -> None:
    assert status.collect(two_versions, Settings.load())["scopes"][SCOPE]["version"] == "v0002"
    cut(two_versions.models / "v0002")
    assert status.collect(two_versions, Settings.load())["scopes"][SCOPE]["version"] == "v0001"


def test_predict_with_a_torn_adapter_says_so(two_versions: Home, tmp_path: Path) -> None:
    cut(two_versions.models / "v0002")
    says = "Version v0002 is not used: "
    done = memo("predict", *LINES)
    assert done.exit_code == 0 and done.stderr.startswith(says), done.output
    assert json.loads(memo("predict", *LINES, "--json").stdout)["degraded"].startswith(says)
    file = tmp_path / "lines.txt"
    file.write_text("".join(f"{line}\n" for line in LINES))
    assert memo("predict", str(file)).stderr.count(says) == 1
    [answer] = memo("predict", "--stream", typed=f"{json.dumps({'window': LINES})}\n").stdout.splitlines()
    assert json.loads(answer)["degraded"].startswith(says) and json.loads(answer)["model"] == "v0001"


def test_predict_with_a_whole_adapter_says_nothing(home: Home) -> None:
    done = memo("predict", *LINES, "--json")
    assert done.stderr == "" and "degraded" not in json.loads(done.stdout)


@pytest.mark.parametrize(("events", "seen"), [(1, "1 event"), (2, "2 events")])
def test_why_of_a_prediction_without_candidates(capsys: pytest.CaptureFixture[str], events: int, seen: str) -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("candidates", "places", "person", "reasons", "place_reasons", "person_reasons"), []
    )
    known = {"id": 1, "scope": "a@b", "at": datetime.now().astimezone(), "past": None, "handlers": [], "problem": ""}
    found = nothing | known
    why._show(found | {"events": events, "read_again": 0}, Settings())
    shown = capsys.readouterr().out.splitlines()
    assert shown[1:] == [f"It names nothing: only {seen} had been seen, and what was never seen can't be predicted."]
