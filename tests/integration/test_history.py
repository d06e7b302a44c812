import csv
import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import make_store, store_events

from cli.predictions.history import as_csv, as_json_list, history
from cli.terminal.durations import parse_since
from data.importers.cells import original
from db.engine import open_store
from db.intake import events
from db.models import PredictionRow
from memo.core.errors import MemoError, UsageError
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.predictions import NextAction
from memo.core.settings import Settings
from memo.display.text import safe
from memo.history import frame, rows

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ZONE = timezone(timedelta(hours=8))


@pytest.fixture
def predicted(home: Home) -> list[str]:
    """Store three predictions (a hit, a miss, and an empty one) and return their targets."""
    make_store(settings := Settings.load(), home)
    store = open_store(settings, home)
    targets = ["会议.docx", '[red]x[/red]\x1b[2J, "y"', ""]
    batch = [Event(NOW + timedelta(minutes=n), Operation.PROCESS_START, f"app {n}") for n in range(3)]
    with store.write() as session:
        store_events(session, "a@b", batch)
        for number, target in enumerate(targets, 1):
            row = PredictionRow(
                scope="a@b" if number < 3 else "c@d",
                made_at=NOW + timedelta(minutes=number),
                last_event_id=number,
                model_version="builtin",
                candidates=[],
                upcoming=[],
                new_probability=0.0,
                latency_ms=1.5,
            )
            if target:
                row.operation, row.target, row.app = "file_access", target, "/home"
                row.probability, row.expected_at = 0.5, NOW
                row.outcome_event_id, row.outcome_operation, row.outcome_target = number + 1, "process_start", "app"
                row.outcome_rank = {1: 3}.get(number)
                action = Action(Operation.FILE_ACCESS, target, "/home")
                row.person = [NextAction(action, 0.5).as_dict("en", NOW)]
            if number == 1:
                row.person_event_id, row.place_rank, row.person_rank = 2, 1, 2
                row.upcoming_event_id, row.upcoming_rank = 2, 4
            if number == 3:
                events.add_events(session, "c@d", [], [])
            session.add(row)
    store.close()
    return targets


def test_table_shows_predictions_and_outcomes(
    predicted: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    history()
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.split() == ["id", "time", "scope", "predicted", "you", "did", "rank", "upcoming", "next"]
    assert [line.split()[-1] for line in lines] == ["3", "-", "yet"], "the rank of the next event"
    assert lines[0].split()[-3:-1] == ["1/2", "4"], "ranks of the place and the action, and of what was upcoming"
    assert "start app 1" in lines[0] and "use [red]x[/re" in lines[1], "no markup"
    assert not any("\x1b" in line for line in lines), "no escape"


def test_table_names_folders_and_other_scopes(
    predicted: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    history()
    first, _, last = capsys.readouterr().out.splitlines()[1:]
    assert "会议.docx (/home)" in first and "a@b" in first.split() and "c@d" in last.split()


def test_narrow_table_keeps_whole_times(
    predicted: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    history()
    lines = capsys.readouterr().out.splitlines()[1:]
    assert all(re.search(r"03-02 \d\d:0[123]:00 ", line) and len(line) <= 80 for line in lines)


def test_table_of_the_own_scope_has_no_column_for_it(
    predicted: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEMO_SCOPE", "c@d")
    history(scope="c@d")
    assert "scope" not in capsys.readouterr().out


def test_table_is_chinese_if_the_language_is(
    predicted: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEMO_LANGUAGE", "zh")
    history()
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.split() == ["id", "时间", "范围", "预测你会做", "你实际做了", "名次", "即将用到", "下一步"]
    assert "尚不知道" in last


def test_table_that_a_filter_left_empty_says_so(predicted: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    history(scope="e@f")
    assert capsys.readouterr().out == "No prediction matches.\n"


def test_table_of_an_empty_store_says_so(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    make_store(Settings.load(), home)
    history()
    assert "There are no predictions yet" in capsys.readouterr().out


def test_json_and_csv_hold_the_same_rows(predicted: list[str], capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    history(as_json=True)
    objects = json.loads(capsysbinary.readouterr().out)
    history(form="csv")
    lines = list(csv.DictReader(io.StringIO(capsysbinary.readouterr().out.decode())))
    assert [line["target"] for line in lines] == [safe(target) for target in predicted]
    assert [row["target"] for row in objects] == [target or None for target in predicted]
    assert [row["outcome_rank"] for row in objects] == [3, None, None]
    assert [line["made_at"] for line in lines] == [row["made_at"] for row in objects]
    assert objects[0]["made_at"] == "2026-03-02T12:01:00+00:00"


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_history_starts_without_heavy_libraries(predicted: list[str], form: str) -> None:
    code = (
        "import sys; from cli.predictions.history import history; "
        f"history(form='{form}');"
        "assert not {'pandas', 'sqlalchemy', 'celery', 'redis'} & sys.modules.keys()"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "docx" in ran.stdout or "会议" in ran.stdout  # the table shortens it


def test_rows_are_filtered_by_since_scope_and_limit(predicted: list[str]) -> None:
    def numbers(**filters: object) -> list[int]:
        return [row["id"] for row in rows(**filters)]  # type: ignore[arg-type]

    assert numbers() == [1, 2, 3], "the newest last"
    assert numbers(limit=2) == [2, 3]
    assert numbers(scope="a@b") == [1, 2]
    assert numbers(since=(NOW + timedelta(minutes=2)).astimezone(ZONE)) == [2, 3]


def test_frame_has_times_and_counts(predicted: list[str]) -> None:
    made = frame()
    assert str(made["made_at"].dt.tz) == str(made["expected_at"].dt.tz) == "UTC"
    assert made["made_at"].tolist()[0] == NOW + timedelta(minutes=1)
    assert made["outcome_rank"].isna().tolist() == [False, True, True]
    assert made["target"].isna().tolist() == [False, False, True]
    assert frame(scope="nobody").dtypes.equals(made.dtypes), "without rows too"


def test_file_is_written_but_never_overwritten(predicted: list[str], tmp_path: Path) -> None:
    out = tmp_path / "history.csv"
    history(form="csv", out=out)
    assert len(out.read_text(encoding="utf-8").splitlines()) == 4
    assert out.stat().st_mode & 0o777 == 0o600, "it holds titles"
    with pytest.raises(UsageError, match="--force"):
        history(form="csv", out=out)
    history(form="json", out=out, force=True)
    assert len(json.loads(out.read_text())) == 3
    with pytest.raises(MemoError, match="can't be written"):
        history(form="csv", out=tmp_path / "missing" / "history.csv")


def test_wrong_use_raises_one_sentence(home: Home) -> None:
    with pytest.raises(MemoError, match="no store"):
        history()
    assert not Path(home.database_url.removeprefix("sqlite:///")).exists(), "reading creates no store"
    with pytest.raises(UsageError, match="--out"):
        history(form="parquet")
    with pytest.raises(UsageError, match="table"):
        history(out=Path("x"))
    with pytest.raises(UsageError, match="--since"):
        history(since="yesterday")


def test_parquet_names_its_missing_library(predicted: list[str], tmp_path: Path) -> None:
    out = tmp_path / "history.parquet"
    try:
        history(form="parquet", out=out)
    except MemoError as error:
        assert f"`{sys.executable} -m pip install pyarrow`" in str(error) and not out.exists()
    else:
        assert out.read_bytes()[:4] == b"PAR1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", NOW - timedelta(minutes=10)),
        ("3h", NOW - timedelta(hours=3)),
        ("1d", NOW - timedelta(days=1)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-03-02", datetime(2026, 3, 1, 16, tzinfo=UTC)),
        ("2026-03-02T09:00", datetime(2026, 3, 2, 1, tzinfo=UTC)),
        ("2026-03-02T09:00:00Z", datetime(2026, 3, 2, 9, tzinfo=UTC)),
    ],
)
def test_parse_since_returns_the_time(text: str, expected: datetime) -> None:
    assert parse_since(text, ZONE, NOW) == expected


@given(st.text() | st.from_regex(r"\d+[mhdw]", fullmatch=True))
def test_parse_since_of_any_text_is_a_time_or_wrong_use(text: str) -> None:
    try:
        assert parse_since(text, ZONE, NOW).tzinfo is not None
    except UsageError as error:
        assert "--since" in str(error)


@given(st.lists(st.fixed_dictionaries({"id": st.integers(), "target": st.text(), "probability": st.none()})))
def test_json_and_csv_of_any_rows_can_be_read(found: list[dict[str, object]]) -> None:
    assert json.loads(as_json_list(found)) == found
    lines = list(csv.DictReader(io.StringIO(as_csv(found), newline="")))
    assert [(line["id"], original(line["target"])) for line in lines] == [
        (str(row["id"]), safe(str(row["target"]))) for row in found
    ]
