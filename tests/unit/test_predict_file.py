import csv
import json
from pathlib import Path

import pytest

from cli.predictions.predict_file import predict_file
from cli.predictions.predict_stream import PredictStream
from memo.core.errors import UsageError
from memo.core.settings import Settings, WindowSettings
from memo.testing import ScriptedPredictor

LINES = [f"2026-03-02 09:00:0{second} - Started app: {name}" for second, name in enumerate("ABAB=")]


def stream() -> PredictStream:
    return PredictStream(ScriptedPredictor, "v0001", Settings(timezone="UTC", window=WindowSettings(size=2)), 2)


def windows(folder: Path) -> Path:
    file = folder / "windows.json"
    rows = [{"input": "\n".join(["\ud800", *LINES[end - 2 : end]]), "output": LINES[end]} for end in range(2, 5)]
    file.write_text(json.dumps([*rows, {"input": "\n".join(["head", *LINES[3:5]])}]), encoding="utf-8")
    return file


def test_predict_file_answers_every_window_in_order(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    predict_file(windows(tmp_path), stream(), 2, out, False, False)
    assert out.stat().st_mode & 0o777 == 0o600, "it holds titles"
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["window"] for row in rows] == [LINES[end - 2 : end] for end in range(2, 6)]
    assert [row["candidates"][0]["action"]["target"] for row in rows] == ["B", "A", "B", "="]


def test_predict_file_of_lines_ends_without_an_outcome(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("\n".join([*LINES, "no event line", ""]), encoding="utf-8")
    out = tmp_path / "out.csv"
    predict_file(file, stream(), 2, out, False, False)
    with out.open(encoding="utf-8", newline="") as read:
        rows = list(csv.DictReader(read))
    assert len(rows) == 5
    assert rows[0]["prediction"] == "2026-03-02 09:00:01 - Started app: B"
    assert [bool(row["error"]) for row in rows] == [False] * 4 + [True], "the window with the unreadable line"


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_predict_file_keeps_an_existing_file_unless_forced(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    out.write_text("mine")
    with pytest.raises(UsageError, match="--force"):
        predict_file(windows(tmp_path), stream(), 2, out, False, False)
    predict_file(windows(tmp_path), stream(), 2, out, True, False)
    assert "Started app" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [b"{", b"[3]", b"\xff", b'{"a": 1}', b'[{"input": 1}]'])
def test_predict_file_refuses_json_without_windows(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="not a JSON list of windows"):
        predict_file(file, stream(), 2, None, False, False)


def test_predict_file_names_missing_files_and_bad_suffixes(tmp_path: Path) -> None:
    for file in ("no.json", "no.txt"):
        with pytest.raises(UsageError, match="can't be read"):
            predict_file(tmp_path / file, stream(), 2, None, False, False)
    with pytest.raises(UsageError, match=r"\.csv or \.jsonl"):
        predict_file(windows(tmp_path), stream(), 2, tmp_path / "out.xlsx", False, False)
