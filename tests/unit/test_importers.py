"""Event files: every form, every fault, and their replay."""

import hashlib
import json
import math
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from data import replay
from data.importers import Reject, events, form, lines, open_file, read, rejects
from data.importers.event_files import BOM, raw_lines
from data.importers.line import AHEAD, EARLIEST, implausible, read_line
from memo.core.errors import GrammarError, MemoError, UsageError
from memo.core.events import Event, Operation
from memo.core.grammar import MAX_LINE, parse
from memo.core.paths import Home
from memo.core.settings import Settings
from training.evaluation import questions

ZONE = timezone(timedelta(hours=8))
BERLIN = ZoneInfo("Europe/Berlin")
LINES = [f"2026-03-02 09:00:0{second} - 启动应用: {name}" for second, name in enumerate("甲乙丙丁戊己庚")]
STARTED = Event(datetime(2026, 3, 2, 9, tzinfo=ZONE), Operation.PROCESS_START, "甲")
HEADER = "at,operation,target,app,detail\n"

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, content: str | bytes) -> Path:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return written


def found(path: Path) -> list[Event | Reject]:
    with open_file(path) as file:
        return list(read(path, file, ZONE))


def as_windows(given: list[str], size: int = 5) -> str:
    rows = [
        {"instruction": "", "input": "\n".join(["头", *given[end - size : end]]), "output": given[end]}
        for end in range(size, len(given))
    ]
    return json.dumps(rows, ensure_ascii=False)


def as_objects(given: list[str]) -> str:
    parsed = [parse(line, ZONE) for line in given]
    return "".join(
        json.dumps({"at": event.at.isoformat(), "operation": event.operation, "target": event.target}) + "\n"
        for event in parsed
    )


def as_csv(given: list[str]) -> str:
    parsed = [parse(line, ZONE) for line in given]
    return HEADER + "".join(f"{event.at.isoformat()},{event.operation},{event.target},,\n" for event in parsed)


FORMS = {
    "windows.json": as_windows(LINES),
    "windows.txt": as_windows(LINES),
    "lines.txt": "\n".join(LINES),
    "wrapped.jsonl": "".join(json.dumps({"event": line}) + "\n" for line in LINES),
    "objects.jsonl": as_objects(LINES),
    "rows.csv": as_csv(LINES),
    "rows.log": as_csv(LINES),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("change", ["", "bom", "crlf", "space"])
def test_read_any_form_gives_the_same_events(name: str, change: str, write: Write) -> None:
    content = FORMS[name].encode()
    if change == "bom":
        content = BOM + content
    elif change == "crlf":
        content = content.replace(b"\n", b"\r\n")
    elif change == "space":
        content = b"\n" + content + b"\n\n"
    assert found(write(name, content)) == [parse(line, ZONE) for line in LINES]


def test_form_depends_on_name_and_content(write: Write) -> None:
    assert {name: form(write(name, content)) for name, content in FORMS.items()} == {
        "windows.json": "json",
        "windows.txt": "json",
        "lines.txt": "lines",
        "wrapped.jsonl": "lines",
        "objects.jsonl": "lines",
        "rows.csv": "csv",
        "rows.log": "csv",
    }


def test_events_of_a_file_with_lines_and_objects(write: Write) -> None:
    mixed = write("mixed.txt", LINES[0] + "\n" + as_objects(LINES[1:2]) + json.dumps({"event": LINES[2]}))
    assert events(mixed, ZONE) == [parse(line, ZONE) for line in LINES[:3]]


def test_read_line_object_gives_all_fields() -> None:
    given: dict[str, Any] = {
        "timestamp": "2026-03-02T09:00:00-05:00",
        "operation": "window_focus",
        "target": "T\x1b\ud800",
        "app": "a",
        "executable": "/bin/a",
        "more": [1],
    }
    at = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=-5)))
    expected = Event(at, Operation.WINDOW_FOCUS, "T  ", "a", executable="/bin/a")
    assert read_line(json.dumps(given).encode(), ZONE) == expected


def test_read_line_without_offset_uses_the_zone() -> None:
    given = b'{"at": "2026-03-02 09:00", "operation": "process_start", "target": "\xe7\x94\xb2"}'
    assert read_line(given, ZONE) == STARTED
    assert read_line(LINES[0].encode(), ZONE) == STARTED


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"at": None}, "`at`"),
        ({"at": 1}, "`at`"),
        ({"at": "yesterday"}, "`at`"),
        ({"at": {}}, "`at`"),
        ({"operation": "think"}, "`operation`"),
        ({"operation": []}, "`operation`"),
        ({"target": ""}, "`target`"),
        ({"target": 3}, "`target`"),
        ({"app": ["a"]}, "`app`"),
        ({"operation": "web_visit", "target": "two words"}, "domain"),
        ({"operation": "web_visit", "target": "nul\0"}, "domain"),
        ({"operation": "time_context", "target": "8", "detail": "3"}, "weekday"),
        ({"operation": "time_context", "target": "12", "detail": "3"}, "weekday"),
        ({"operation": "time_context", "target": "1", "detail": "٣"}, "hour"),
        ({"operation": "time_context", "target": "1", "detail": "123"}, "hour"),
        ({"operation": "time_context", "target": "1"}, "hour"),
        ({"event": 7}, "`event`"),
        ({"event": ""}, "begin"),
        ({"event": "2026-03-02"}, "begin"),
    ],
)
def test_read_line_bad_object_raises(fields: dict[str, Any], reason: str) -> None:
    given = {"at": "2026-03-02T09:00:00", "operation": "process_start", "target": "secret"} | fields
    with pytest.raises(GrammarError, match=reason) as raised:
        read_line(json.dumps(given).encode(), ZONE)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("line", [b"{", b"{}", b'{"at": 1' + b"0" * 5000 + b"}", b'{"a":' * 100_000, b'{"at": NaN}'])
def test_read_line_broken_json_raises(line: bytes) -> None:
    with pytest.raises(GrammarError):
        read_line(line, ZONE)


@pytest.mark.parametrize("zone", [UTC, ZONE, timezone(-timedelta(hours=12))])
@pytest.mark.parametrize("year", ["0001", "1970", "1999", "2100", "9999"])
def test_read_line_implausible_year_raises(year: str, zone: timezone) -> None:
    for clock in (f"{year}-01-01 12:00:00", f"{year}-12-31 11:59:59"):
        with pytest.raises(GrammarError, match="the event's time is"):
            read_line(f"{clock} - Started app: a".encode(), zone)
        with pytest.raises(GrammarError, match="the event's time is"):
            read_line(json.dumps({"at": clock, "operation": "process_start", "target": "a"}).encode(), zone)


def test_implausible_allows_a_clock_slightly_ahead() -> None:
    now = datetime.now(UTC)
    assert implausible(now + AHEAD / 2) == ""
    assert "future" in implausible(now + 2 * AHEAD)
    assert "before 2000-01-01" in implausible(datetime(1999, 12, 31, 23, tzinfo=UTC))


@pytest.mark.parametrize("hours", [-23.5, -12, -1, 0, 1, 8, 14, 23.5])
def test_implausible_is_the_same_in_every_zone(hours: float) -> None:
    zone, minute = timezone(timedelta(hours=hours)), timedelta(minutes=1)
    for limit in (EARLIEST, EARLIEST + timedelta(days=1), datetime.now(UTC), datetime.now(UTC) + AHEAD):
        for at in (limit - minute, limit + minute):
            is_right = EARLIEST <= at <= datetime.now(UTC) + AHEAD
            assert (implausible(at.astimezone(zone)) == "") == is_right


SECRET = "2026-03-02 09:00:09 - told app: secret"


def test_read_bad_lines_gives_place_reason_and_hash(write: Write) -> None:
    bad = [SECRET.encode(), b"secret \xff\xfe", b'{"secret": 1}', b"1970-01-01 09:00:00 - Started app: secret"]
    file = write("lines.txt", b"\n".join([LINES[0].encode(), b"", *bad]))
    event, *refused = found(file)
    assert event == STARTED
    assert [(one.unit, one.place) for one in refused if isinstance(one, Reject)] == [("line", n) for n in range(3, 7)]
    assert [one.sha256 for one in refused if isinstance(one, Reject)] == [hashlib.sha256(x).hexdigest() for x in bad]
    reasons = [one.reason for one in refused if isinstance(one, Reject)]
    for reason, word in zip(reasons, ("action", "UTF-8", "`at`", "before 2000"), strict=True):
        assert word in reason
    assert "secret" not in str(refused)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"2026-03-02,think,secret", "operation"),
        (b"secret", "`at`"),
        (b",,secret,", "`at`"),
        (b"2026-03-02,process_start,secret\xff", "UTF-8"),
        (b"1970-01-02,process_start,secret", "before 2000"),
        (b"2100-01-02,process_start,secret", "future"),
        (b"2026-03-02,process_start," + b"secret" * 30_000, "field"),
        (b"2026-03-02,process_start", "`target`"),
    ],
)
def test_read_bad_csv_row_is_rejected(row: bytes, reason: str, write: Write) -> None:
    good = as_csv(LINES[:1]).encode()
    first, refused, last = found(write("rows.csv", good + row + b"\n" + good[len(HEADER) :]))
    assert first == last == STARTED
    assert isinstance(refused, Reject)
    assert (refused.unit, refused.place) == ("line", 3)
    assert reason in refused.reason
    assert "secret" not in str(refused)


def test_read_csv_with_quotes_line_breaks_and_any_column_order(write: Write) -> None:
    file = write(
        "rows.csv", '"target", operation ,"timestamp",more\n"a, ""b""\nc", window_focus, 2026-03-02T09:00:00\n'
    )
    assert found(file) == [Event(STARTED.at, Operation.WINDOW_FOCUS, 'a, "b" c')]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("hint", "separator"), [("", ","), ("", ";"), ("sep=;\n", ";"), ("", "\t")])
def test_csv_is_read_as_spreadsheets_save_it(encoding: str, ends: str, hint: str, separator: str, write: Write) -> None:
    table = [
        ["At", "operation", '"target"'],
        ["2026-03-02 09:00:00", "process_start", f'"甲{separator} 乙"'],
        ["", "", ""],
    ]
    text = hint + "".join(separator.join(row) + "\n" for row in table)
    [event] = found(write("rows.csv", text.replace("\n", ends).encode(encoding)))
    assert event == Event(STARTED.at, Operation.PROCESS_START, f"甲{separator} 乙".replace("\t", " "))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
@pytest.mark.parametrize("made", [as_windows, as_objects, "\r\n".join])
def test_other_forms_are_read_as_editors_save_them(
    encoding: str, made: Callable[[list[str]], str], write: Write
) -> None:
    name = "a.json" if made is as_windows else "a.txt"
    assert len(events(write(name, made(LINES).encode(encoding)), ZONE)) == len(LINES)


def test_an_hour_that_comes_twice_keeps_the_order_of_lines(write: Write) -> None:
    clocks = ["02:10:00", "02:50:00", "02:05:00", "02:40:00", "03:01:00", "02:30:00"]
    file = write("a.txt", "".join(f"2026-10-25 {clock} - Started app: a\n" for clock in clocks))
    with open_file(file) as opened:
        times = [event.at.astimezone(UTC) for event in read(file, opened, BERLIN) if isinstance(event, Event)]
    assert [f"{at:%H:%M}" for at in times] == ["00:10", "00:50", "01:05", "01:40", "02:01", "01:30"]


def test_an_hour_that_is_left_out_changes_nothing(write: Write) -> None:
    clocks = ["03:20:00", "02:30:00"]
    file = write("a.txt", "".join(f"2026-03-29 {clock} - Started app: a\n" for clock in clocks))
    assert [f"{event.at.astimezone(UTC):%H:%M}" for event in events(file, BERLIN)] == ["01:20", "01:30"]


def test_a_zone_is_asked_for_each_line_and_never_again(write: Write) -> None:
    class Asked(tzinfo):
        times = 0

        def utcoffset(self, at: datetime | None) -> timedelta:
            self.times += 1
            return timedelta(hours=1)

        def dst(self, at: datetime | None) -> None:
            return None

        def tzname(self, at: datetime | None) -> str:
            return ""

    zone = Asked()
    read_events = events(write("a.txt", "".join(f"2026-03-29 03:20:0{n} - Started app: a\n" for n in range(5))), zone)
    asked = zone.times
    assert asked <= 2 * len(read_events) == 10
    assert [event.second for event in read_events] == sorted(event.at for event in read_events)
    assert (zone.times, read_events[0].at.isoformat()) == (asked, "2026-03-29T03:20:00+01:00")


def test_read_line_over_limit_is_rejected_and_next_is_read(write: Write) -> None:
    for start in (b"", BOM):
        huge = LINES[0].encode() + b"x" * 10_000_000
        refused, event = found(write("lines.txt", start + huge + b"\n" + LINES[0].encode()))
        assert isinstance(refused, Reject)
        assert (refused.place, refused.reason) == (1, f"the line is longer than {MAX_LINE} bytes")
        assert event == STARTED


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("start", [b"", BOM])
def test_raw_lines_keep_a_line_at_the_limit(start: bytes, end: bytes) -> None:
    longest = b"x" * MAX_LINE
    assert list(raw_lines(BytesIO(start + longest + end))) == [longest]


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.txt"])
@pytest.mark.parametrize("content", [b"", BOM, b" \n\r\n"])
def test_read_empty_file_raises(name: str, content: bytes, write: Write) -> None:
    file = write(name, content)
    for asked in (form, found):
        with pytest.raises(MemoError, match=f"{name} is empty; there is nothing to read"):
            asked(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[", "not valid JSON .line 1"),
        (b'[{"input": "secret"}', "not valid JSON .line 1"),
        (b'[{"input": "\xff"}]', "not valid JSON .not UTF-8"),
        (b"[" + b'{"a":[' * 100_000, "not valid JSON .nested too deeply"),
        (b"[1]", "not a JSON list of windows"),
        (b'[{"input": 1}]', "not a JSON list of windows"),
        (b'[{"input": "a", "output": []}]', "not a JSON list of windows"),
        (b'[{"input": "a"}, "secret"]', "not a JSON list of windows"),
        (b'"secret"', "not a JSON list of windows"),
    ],
)
def test_events_of_wrong_json_raise(content: bytes, message: str, write: Write) -> None:
    file = write("secrets.json", content)
    with pytest.raises(MemoError, match=message) as raised:
        events(file, ZONE)
    assert str(raised.value).startswith(str(file))
    assert "secret" not in str(raised.value).removeprefix(str(file))


def test_form_of_csv_without_header_raises(write: Write) -> None:
    with pytest.raises(MemoError, match=r"rows\.csv has no header line with `at`"):
        form(write("rows.csv", "2026-03-02,process_start,a\n"))


def test_form_of_no_regular_file_raises(tmp_path: Path, write: Write) -> None:
    os.mkfifo(tmp_path / "pipe")
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(tmp_path / "socket"))
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(UsageError, match=f"{path} is not a regular file; name files"):
            form(path)
    for path in (tmp_path / "none", tmp_path / "socket", tmp_path / ("x" * 300), write("a", "b") / "c"):
        with pytest.raises(UsageError, match=r"can't be read \(.+\); name an existing file that you may read\.$"):
            form(path)
    bound.close()


def test_form_of_a_folder_leaves_no_open_file(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(UsageError):
        form(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_read_windows_without_lines_or_output(write: Write) -> None:
    rows = [{"input": ""}, {"input": "head", "output": None}, {"input": "head\n" + LINES[0], "output": ""}]
    assert found(write("a.json", json.dumps(rows))) == [STARTED]
    assert found(write("a.json", "[]")) == []


def test_events_of_windows_keep_each_repeated_line(write: Write) -> None:
    repeated = LINES[:4] + [LINES[4]] * 2 + LINES[5:]
    assert events(write("a.json", as_windows(repeated)), ZONE) == [parse(line, ZONE) for line in repeated]


@pytest.mark.parametrize("name", ["windows.json", "lines.txt", "rows.csv"])
def test_questions_of_any_form_are_five_lines_and_the_next(name: str, write: Write) -> None:
    asked = questions.from_file(write(name, FORMS[name]), ZONE, 5, "zh")
    assert [(one.prompt.split("\n"), one.reference) for one in asked] == [(LINES[:5], LINES[5]), (LINES[1:6], LINES[6])]


def test_lines_are_unchanged_even_unreadable_ones(write: Write) -> None:
    assert lines(write("a.txt", f"{LINES[0]}\r\n\n{SECRET}\n"), ZONE, "en") == [LINES[0], SECRET]
    assert lines(write("a.csv", as_csv(LINES[:1])), ZONE, "en") == ["2026-03-02 09:00:00 - Started app: 甲"]
    assert lines(write("a.txt", b"x\xff"), ZONE, "en") == ["x\udcff"]


def test_lines_of_windows_with_surrogates_can_be_written(write: Write) -> None:
    (line,) = lines(write("a.json", r'[{"input": "", "output": "x\ud800"}]'), ZONE, "en")
    with pytest.raises(GrammarError, match="UTF-8"):
        read_line(line.encode(errors="surrogateescape"), ZONE)


@pytest.fixture
def reject() -> Reject:
    return Reject.of("line", 3, "the line is not UTF-8", b"secret")


def test_rejects_file_has_everything_but_the_text(tmp_path: Path, reject: Reject) -> None:
    offset = Reject.of("offset", 70, "why", b"secret")
    written = rejects.write(tmp_path, "sub/a.txt", [reject, offset])
    assert written == tmp_path / "sub~a.txt.jsonl"
    digest = hashlib.sha256(b"secret").hexdigest()
    assert [json.loads(line) for line in written.read_text().splitlines()] == [
        {"file": "sub/a.txt", "line": 3, "reason": "the line is not UTF-8", "sha256": digest},
        {"file": "sub/a.txt", "offset": 70, "reason": "why", "sha256": digest},
    ]


@pytest.mark.parametrize("name", ["..", "../../etc/x", "\udcff", "名" * 300, "a\nb"])
def test_rejects_file_stays_in_its_folder_for_any_name(name: str, tmp_path: Path, reject: Reject) -> None:
    written = rejects.write(tmp_path, name, [reject])
    assert written.resolve().parent == tmp_path
    (line,) = written.read_text().splitlines()
    assert json.loads(line)["file"] == name


def test_rejects_file_stops_growing(tmp_path: Path, reject: Reject) -> None:
    for _ in range(3):
        written = rejects.write(tmp_path, "a", [reject] * 5, max_bytes=200)
    assert len(written.read_text().splitlines()) == 2


def test_replay_scope_is_named_by_the_file(tmp_path: Path) -> None:
    assert replay.scope_of(tmp_path / "week.json") == "replay@week"
    assert replay.scope_of(replay.SAMPLE / "day.txt") == replay.SAMPLE_SCOPE


def test_replay_keeps_the_pace_but_no_long_pause(home: Home) -> None:
    clocks = ("09:00:00", "09:00:01", "bad", "09:00:03", "09:00:02", "11:00:00")
    given = [f"2026-03-02 {clock} - Started app: a" for clock in clocks]
    for speed, pauses in ((4, [0, 0.25, 0, 0.5, 0, 1]), (0, [0] * 6)):
        paced = list(replay._paced(given, Settings.load(), speed))
        assert paced == list(zip(pauses, given, strict=True))


def test_replay_into_impossible_scope_raises(home: Home, write: Write) -> None:
    for scope in ("a/b", "..", "", "a.tmp", "a\x7f", "x" * 256):
        with pytest.raises(UsageError, match=r"can't be a scope; choose one with --scope"):
            replay.replay(write("a.txt", LINES[0]), 0, scope)
    assert list(home.inbox.iterdir()) == []


@pytest.mark.parametrize("speed", [-1, math.nan, math.inf])
def test_replay_at_impossible_speed_raises(speed: float, home: Home, write: Write) -> None:
    with pytest.raises(UsageError, match="is not a speed"):
        replay.replay(write("a.txt", LINES[0]), speed, "a")
    assert list(home.inbox.iterdir()) == []


@pytest.mark.parametrize("ending", [SystemExit(1), KeyboardInterrupt()])
def test_replay_interrupted_leaves_no_file(
    ending: BaseException, home: Home, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> None:
        raise ending

    monkeypatch.setattr(replay, "_wait_until_read", end)
    with pytest.raises(type(ending)):
        replay.replay(write("a.txt", LINES[0]), 0, "a")
    assert list((home.inbox / "a").iterdir()) == []
