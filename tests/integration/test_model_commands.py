"""`memo train`, `evaluate`, `model` and `predict` on the built-in model."""

import csv
import fcntl
import json
import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from calling import memo, printed

from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home

START = datetime(2026, 3, 2, 9)

UNTRANSLATED = {
    "docs",
    "benchmarks",
    "md",
    "after",
    "day",
    "txt",
    "builtin",
    "hit",
    "memo",
    "repeat",
    "mru",
    "mfu",
    "markov",
    "ppm",
    "frecency",
    "decay",
}


@pytest.fixture(autouse=True)
def folder(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run with quick settings in an empty folder."""
    for name, value in {"SCOPE": "a@b", "TRAIN__EPOCHS": "1", "TRAIN__MINIMUM_EVENTS": "50"}.items():
        monkeypatch.setenv(f"MEMO_{name}", value)
    monkeypatch.chdir(tmp_path)


def lines(names: str) -> Iterator[str]:
    for second, name in enumerate(names):
        yield f"{START + timedelta(seconds=second):%Y-%m-%d %H:%M:%S} - 启动应用: {name}"


@pytest.fixture
def windows(tmp_path: Path) -> Path:
    stream = list(lines("甲乙丙丁" * 20))
    rows = [
        {"instruction": "", "input": "\n".join(["头", *stream[end - 5 : end]]), "output": stream[end]}
        for end in range(5, len(stream))
    ]
    file = tmp_path / "windows.json"
    file.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return file


def test_two_trainings_at_once_are_refused(windows: Path, home: Home) -> None:
    folder = os.open(home.models, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # as another process does that trains
    assert "Another training is under way" in str(memo("train", str(windows)).exception)
    os.close(folder)
    assert "v0001 is trained" in printed("train", str(windows))


def read_version(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed("model", "show", name, "--json"))
    return found


def test_version_is_trained_listed_activated_and_rolled_back(windows: Path, home: Home) -> None:
    made = json.loads(printed("train", str(windows), "--json"))
    assert (made["version"], made["scope"], made["state"]) == ("v0001", "a@b", "candidate")
    assert made["metrics"]["events"] == 80
    assert "v0002" in printed("train", str(windows), "--activate")
    assert [row["state"] for row in json.loads(printed("model", "list", "--json"))] == ["active", "candidate"]
    assert {folder.name for folder in home.models.iterdir()} == {
        f"{name}-{read_version(name)['metrics']['content'][:12]}" for name in ("v0001", "v0002")
    }
    assert printed("predict", *lines("甲"), "--json").count("v0002") == 1
    printed("model", "activate", "v0001")
    assert "v0002 serves" in printed("model", "rollback")
    assert json.loads(printed("model", "show", "v0002", "--json"))["state"] == "active"
    assert [row["serves"] for row in json.loads(printed("model", "list", "--json"))] == [True, False]
    printed("model", "activate", "history")
    assert not any(row["serves"] for row in json.loads(printed("model", "list", "--json")))
    assert "active, off" in printed("model", "list")


def test_model_show_shows_builtin_like_any_version(windows: Path) -> None:
    builtin = json.loads(printed("model", "show", "builtin", "--json"))
    assert (builtin["version"], builtin["state"]) == ("builtin", "active")
    assert builtin["metrics"]["events"] > 0 and Path(builtin["path"]).is_dir()
    printed("train", str(windows), "--activate")
    trained = json.loads(printed("model", "show", "v0001", "--json"))
    assert trained.keys() == builtin.keys() and trained["metrics"].keys() >= builtin["metrics"].keys()
    assert json.loads(printed("model", "show", "builtin", "--json"))["state"] == "retired"


def test_evaluate_chrono_scores_model_and_baselines(windows: Path, tmp_path: Path) -> None:
    found = json.loads(printed("evaluate", str(windows), "--json"))
    assert (found["protocol"], found["leaks"]) == ("chrono", False)
    (report,) = found["files"]
    assert (report["n"], report["version"]) == (15, "fresh")
    assert set(report["scores"]) == {"memo", "repeat", "mru", "mfu", "markov1", "ppm"}
    assert report["scores"]["ppm"]["hit@1"] == 1
    with (tmp_path / "prediction_results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15
    assert {row["status"] for row in rows} <= {"完全正确", "部分正确", "错误"}
    exact = sum(row["status"] == "完全正确" for row in rows) / len(rows)
    assert exact == pytest.approx(report["scores"]["memo"]["exact"])
    with pytest.raises(UsageError, match="--force"):
        printed("evaluate", str(windows))
    assert "markov1" in printed("evaluate", str(windows), "--force", "--version", "builtin")


def test_evaluate_says_how_often_a_switch_is_foreseen(tmp_path: Path, monkeypatch: Any) -> None:
    file = tmp_path / "day.txt"
    times = (START + timedelta(minutes=minute) for minute in range(100))
    focus = [
        f"{at:%Y-%m-%d %H:%M:%S} - 切换到窗口: t (应用: {app})" for at, app in zip(times, "ABCD" * 25, strict=True)
    ]
    file.write_text("\n".join(focus), encoding="utf-8")
    arguments = ("evaluate", str(file), "--force", "--version", "builtin")
    monkeypatch.setenv("MEMO_LANGUAGE", "en")
    shown = " ".join(printed(*arguments).split())
    assert "ranked it first in 100 %, among the first three in 100 % of the cases; the best simple rule in" in shown
    assert "The language model takes no part in these answers" in shown
    monkeypatch.setenv("MEMO_LANGUAGE", "zh")
    chinese, end = printed(*arguments).rsplit("每个回答都在", 1)
    assert "你切换到另一个应用、网站或文件夹时" in chinese and end.strip().endswith("中。")
    assert set(re.findall("[A-Za-z]+", chinese)) <= UNTRANSLATED
    person = json.loads(printed(*arguments, "--json"))["files"][0]["person"]
    assert {view: found["n"] for view, found in person.items()} == {"fine": 39, "place": 39, "switch": 39}
    assert person["switch"]["scores"]["memo"]["hit@1"] == 1
    assert person["switch"]["ahead"]["hit@1"]["baseline"] in person["switch"]["scores"]


def test_evaluate_gives_no_figures_of_few_actions(windows: Path) -> None:
    arguments = ("evaluate", str(windows), "--version", "builtin", "--force")
    assert "switch: 0 questions are too few for figures; 30 are needed." in printed(*arguments)
    assert json.loads(printed(*arguments, "--json"))["files"][0]["person"]["switch"] == {"n": 0}


def test_train_on_too_few_events_says_so(tmp_path: Path) -> None:
    file = tmp_path / "few.txt"
    file.write_text("\n".join(lines("甲乙")), encoding="utf-8")
    with pytest.raises(MemoError, match="2 events are too few"):
        printed("train", str(file))


def test_commands_name_missing_files_and_versions(windows: Path) -> None:
    for arguments in (("train", "no.json"), ("evaluate", "no.json"), ("predict", "no.json")):
        with pytest.raises(UsageError, match=r"no\.json"):
            printed(*arguments)
    with pytest.raises(UsageError, match="v9"):
        printed("evaluate", str(windows), "--version", "v9")
    with pytest.raises(MemoError, match="no events yet"):
        printed("predict")
    with pytest.raises(UsageError, match="event lines"):
        printed("predict", "hello")
