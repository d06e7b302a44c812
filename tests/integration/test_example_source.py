"""The example source of docs/ can be loaded by the collector's protocol, and reports what happens."""

import re
import threading
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
from conftest import ROOT
from waiting import until

from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Source, Stop

EXAMPLE = ROOT / "docs" / "examples" / "source" / "memo_tmux.py"


@pytest.fixture
def source(home: Home) -> Source:
    made: Source = run_path(str(EXAMPLE))["TmuxSource"](Settings.load(), home)
    return made


def test_example_source_imports_only_the_protocols() -> None:
    assert re.findall(r"(?:from|import) (memo\S*)", EXAMPLE.read_text(encoding="utf-8")) == ["memo.protocols"]


def test_example_source_says_what_it_lacks(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert source.missing() == "tmux is not installed; install it."


def test_example_source_reports_a_window_once(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmux, looks = tmp_path / "tmux", tmp_path / "looks"
    tmux.write_text(f"#!/bin/sh\necho look >> {looks}\necho editor\n")
    tmux.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    emitted: list[Any] = []
    stop = Stop()
    runs = threading.Thread(target=source.run, args=(emitted.append, lambda key: None, stop))
    runs.start()
    try:
        until("tmux was asked twice", lambda: looks.exists() and looks.read_text().count("look") >= 2)
    finally:
        stop.set()
        runs.join()
    [batch] = emitted
    assert isinstance(batch, Batch) and source.watching.is_set()
    [event] = batch.events
    assert (event.target, event.app, event.at.tzinfo is not None) == ("editor", "tmux", True)
