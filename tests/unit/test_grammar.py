"""Event lines: read and written in both languages, without loss."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from data.windows import stream
from memo.core.errors import GrammarError
from memo.core.events import ACTIONS, Action, Event, Operation, default_scope
from memo.core.grammar import MAX_LINE, MAX_TEXT, Language, language_of, parse, write, write_action

AT = datetime(2026, 3, 3, 21, 15, 4, tzinfo=timezone(timedelta(hours=8)))
CLOCK = "2026-03-03 21:15:04 - "
TITLE = "他说 \"it's\" - (应用: x) (app: y) 🦊\u200b'"

LINES: list[tuple[str, str, Event]] = [
    ("启动应用: a.exe", "Started app: a.exe", Event(AT, Operation.PROCESS_START, "a.exe")),
    ("关闭应用: a b", "Closed app: a b", Event(AT, Operation.PROCESS_END, "a b")),
    ("切换到窗口: T (应用: a)", "Switched to window: T (app: a)", Event(AT, Operation.WINDOW_FOCUS, "T", "a")),
    ("切换到窗口: T", "Switched to window: T", Event(AT, Operation.WINDOW_FOCUS, "T")),
    ("访问网站 a.b 的页面 'T'", "Visited site a.b, page 'T'", Event(AT, Operation.WEB_VISIT, "a.b", detail="T")),
    ("访问网站 a.b", "Visited site a.b", Event(AT, Operation.WEB_VISIT, "a.b")),
    ("访问文件: f (位于 C:\\d)", "Opened file: f (in C:\\d)", Event(AT, Operation.FILE_ACCESS, "f", detail="C:\\d")),
    ("访问文件: f", "Opened file: f", Event(AT, Operation.FILE_ACCESS, "f")),
    ("保存文件: f (位于 /d)", "Saved file: f (in /d)", Event(AT, Operation.FILE_SAVE, "f", detail="/d")),
    ("保存文件: f", "Saved file: f", Event(AT, Operation.FILE_SAVE, "f")),
    ("使用应用: a (时长: 3.5秒)", "Used app: a (for 3.5 s)", Event(AT, Operation.APP_USAGE, "a", detail="3.5")),
    ("使用应用: a", "Used app: a", Event(AT, Operation.APP_USAGE, "a")),
    ("会话开始", "Session started", Event(AT, Operation.SESSION_START)),
    ("时间上下文: 周二 21时", "Time context: Tue 21h", Event(AT, Operation.TIME_CONTEXT, "2", detail="21")),
]


@pytest.mark.parametrize(("chinese", "english", "event"), LINES, ids=lambda value: str(value)[:12])
def test_parse_and_write_agree_in_both_languages(chinese: str, english: str, event: Event) -> None:
    texts: dict[Language, str] = {"zh": CLOCK + chinese, "en": CLOCK + english}
    for language, line in texts.items():
        assert parse(line, AT.tzinfo or UTC) == event
        assert write(event, language) == line
        assert language_of(line) == language


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        (f"切换到窗口: {TITLE} (应用: a.exe)", (TITLE, "a.exe", "")),
        (
            f"Switched to window: {TITLE} - Mozilla Firefox (app: fire fox)",
            (f"{TITLE} - Mozilla Firefox", "fire fox", ""),
        ),
        ("切换到窗口: a (应用: b", ("a (应用: b", "", "")),
        (f"访问网站 a.b 的页面 '{TITLE}'", ("a.b", "", TITLE)),
        (f"Visited site a.b, page '{TITLE}'", ("a.b", "", TITLE)),
        ("Visited site a.b,, page 'x, page 'y''", ("a.b,", "", "x, page 'y'")),
        (f"启动应用: {TITLE}", (TITLE, "", "")),
        ("访问文件: a (位于 b).txt (位于 C:\\x (1))", ("a (位于 b).txt", "", "C:\\x (1)")),
        ("Opened file: {target} {0} %s.txt (in /tmp/é)", ("{target} {0} %s.txt", "", "/tmp/é")),
        ("Saved file: a (in b).txt (in C:\\x (1))", ("a (in b).txt", "", "C:\\x (1)")),
        ("使用应用: a (时长: 1秒) (时长: 2秒)", ("a (时长: 1秒)", "", "2")),
        ("使用应用: a (时长: ?秒)", ("a (时长: ?秒)", "", "")),
    ],
)
def test_parse_keeps_texts_that_look_like_grammar(action: str, fields: tuple[str, str, str]) -> None:
    event = parse(CLOCK + action, UTC)
    assert (event.target, event.app, event.detail) == fields
    assert write(event, language_of(CLOCK + action) or "en") == CLOCK + action


def test_write_gives_every_real_line_as_it_was_read(event_files: list[Path]) -> None:
    for file in event_files:
        rows = json.loads(file.read_text(encoding="utf-8"))
        lines = stream((row["input"].split("\n")[1:], row["output"]) for row in rows)
        differing = [
            number for number, line in enumerate(lines) if write(parse(line, UTC), language_of(line) or "en") != line
        ]
        assert lines
        assert differing == [], f"in {file.name}"


def test_parse_drops_an_empty_page_title() -> None:
    event = parse(CLOCK + "访问网站 a.b 的页面 ''", UTC)
    assert (event.target, event.detail) == ("a.b", "")
    assert write(event, "zh") == CLOCK + "访问网站 a.b"


def test_parse_replaces_control_characters_and_cuts_texts() -> None:
    assert parse(CLOCK + "Started app: a\x1b[31m\n\ud800b", UTC).target == "a [31m  b"
    assert parse(CLOCK + "Started app: " + "界" * (MAX_TEXT + 1), UTC).target == "界" * MAX_TEXT


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no event line",
        CLOCK,
        CLOCK + "启动应用: ",
        CLOCK + "启动应用 a",
        CLOCK + "打开: a",
        CLOCK + "Visited site two words",
        CLOCK + "Visited site nul\x00character",
        CLOCK + "会话开始 ",
        CLOCK + "Time context: Abc 21h",
        CLOCK + "时间上下文: 周八 21时",
        CLOCK + "Time context: Tue 121h",
        " " + CLOCK + "Started app: a",
        "2026-03-03T21:15:04 - Started app: a",
        "2026-02-30 21:15:04 - Started app: a",
        "2026-03-03 25:15:04 - Started app: a",
        "0000-03-03 21:15:04 - Started app: a",
        "٢٠٢٦-٠٣-٠٣ 21:15:04 - Started app: a",
        CLOCK + "Started app: " + "a" * MAX_LINE,
    ],
    ids=lambda line: line[:40],
)
def test_parse_refuses_a_line_of_no_known_form(line: str) -> None:
    with pytest.raises(GrammarError) as raised:
        parse(line, UTC)
    assert len(str(raised.value)) < 120
    assert "\n" not in str(raised.value)


def test_parse_never_takes_quadratic_time() -> None:
    for text in ("访问文件: a{}" + " (位于 b{}" * 90_000, "Opened file: a{}" + " (in b{}" * 90_000):
        assert parse(CLOCK + text, UTC).detail == ""


@pytest.mark.parametrize("line", ["", "no event line", CLOCK + "打开: a", CLOCK + "Visited site a\x00b"])
def test_language_of_no_event_line_is_none(line: str) -> None:
    assert language_of(line) is None


def test_write_action_gives_no_time() -> None:
    action = Action(Operation.FILE_ACCESS, "f", "/d")
    assert write_action(action, "en") == "Opened file: f (in /d)"
    assert write_action(Action(Operation.WINDOW_FOCUS, "T", "a"), "zh") == "切换到窗口: T (应用: a)"
    assert write_action(Action(Operation.WEB_VISIT, "a.b"), "zh", "T") == "访问网站 a.b 的页面 'T'"


def test_saved_file_is_counted_as_the_same_file_opened() -> None:
    opened, saved = (
        Event(AT, operation, "f", detail="/d") for operation in (Operation.FILE_ACCESS, Operation.FILE_SAVE)
    )
    assert saved.operation is Operation.FILE_SAVE and saved.action == opened.action
    assert set(Operation) - set(ACTIONS) == {Operation.FILE_SAVE}


def test_event_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        Event(datetime(2026, 3, 3), Operation.PROCESS_START, "a")


def test_event_second_is_the_same_in_all_zones() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=-5))).replace(microsecond=7)
    assert Event(elsewhere, Operation.PROCESS_START).second == Event(AT, Operation.PROCESS_START).second


def test_coarse_is_an_app_a_domain_or_a_folder() -> None:
    visit, focus = Action(Operation.WEB_VISIT, "a.b"), Action(Operation.WINDOW_FOCUS, "T", "a")
    assert focus.coarse == Action(Operation.WINDOW_FOCUS, "", "a")
    assert Action(Operation.FILE_ACCESS, "f", "/d").coarse == Action(Operation.FILE_ACCESS, "", "/d")
    assert visit.coarse == visit
    assert Action(Operation.WINDOW_FOCUS, "T").coarse == Action(Operation.WINDOW_FOCUS, "T")


def test_default_scope_is_user_at_host() -> None:
    user, _, host = default_scope().partition("@")
    assert user and host


@pytest.mark.parametrize("app", ["Tool (32-bit)", "(beta) Tool", "Tool :)", "a (b (c)) d", "Tool"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_app_of_a_window_may_have_brackets(app: str, language: Language) -> None:
    event = Event(AT, Operation.WINDOW_FOCUS, "Report (draft)", app)
    assert parse(write(event, language), AT.tzinfo or UTC) == event


def test_many_openings_of_an_app_take_no_quadratic_time() -> None:
    title = "x (app: y" * 20_000
    assert parse(f"2026-03-02 09:00:00 - Switched to window: {title}", UTC).app == ""
