"""The example handler of docs/ can be installed with pip, and acts."""

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import ROOT
from dispatching import dispatching, opened_store, predict, reach, rows, under
from sqlalchemy import update

from db.models import DispatchRow
from memo.core.events import Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from worker.dispatch.handler_list import list_handlers

EXAMPLE = ROOT / "docs" / "examples" / "handler"


def test_example_imports_only_the_protocols_of_memo() -> None:
    text = (EXAMPLE / "memo_diary.py").read_text(encoding="utf-8")
    assert re.findall(r"(?:from|import) (memo\S*)", text) == ["memo.protocols"]


def test_example_handler_installs_and_acts(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copytree(EXAMPLE, source)  # building leaves files behind
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(target), str(source)], check=True)
    reach(target, monkeypatch)
    states = {one["name"]: one["state"] for one in list_handlers(home, Settings.load())}
    assert states["diary"] == "off", "until its owner turns it on"
    with opened_store(home.database_url, home) as opened:
        soon = under(opened, "diary", upcoming={Operation.WEB_VISIT: ["diary"]})
        with dispatching(soon) as dispatcher:
            dispatcher.dispatch(predict(opened, "example.org", operation="web_visit"))
            dispatcher.dispatch(predict(opened, "firefox", operation="window_focus", place="firefox"))
            dispatcher.join()
            [row] = rows(opened)
            assert (row.handler, row.status, row.result) == ("diary", "done", {"site": "example.org"}), row.detail
            assert row.until
            with opened.store.write() as session:
                session.execute(update(DispatchRow).values(until=datetime.now(UTC)))
            dispatcher.settle()
    noted = [json.loads(line) for line in (home.root / "diary.jsonl").read_text().splitlines()]
    assert noted == [{"expected": "example.org", "until": row.until.isoformat()}, {"struck out": "example.org"}]
