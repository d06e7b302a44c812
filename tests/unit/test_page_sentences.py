"""What other parts say, in Chinese: each sentence is that of the code, and each of the code has its Chinese one."""

import ast
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from syntax import parsed

from ui import sentences
from ui.sentences import CHINESE, LONGEST, SYSTEM, in_language, translate

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("memo", "db", "data", "forget", "collector", "worker", "training", "ui")
CATALOGUES = {ROOT / "ui" / "sentences.py", ROOT / "ui" / "translations.py"}
SHOWN = (
    "memo/clock",
    "memo/config",
    "memo/core/files.py",
    "memo/core/paths.py",
    "memo/core/settings.py",
    "memo/stack/broker.py",
    "memo/stack/running.py",
    "memo/store",
    "db/engine.py",
    "db/page",
    "db/prediction",
    "db/upkeep/health.py",
    "forget/erase_files.py",
    "forget/forget.py",
    "collector/focus",
    "collector/plugins.py",
    "collector/source_list.py",
    "collector/sources",
    "training/drift.py",
    "worker/dispatch",
    "worker/effects",
    "worker/gates",
    "worker/handlers",
    "ui",
)
"""Where the sentences arise that reach the page."""
OTHER = re.compile(
    "SELECT |SET LOCAL |[( ].*(SELECT|AND|->) |id > |at >= |at, url|pragma_|# |default-src|<!doctype"  # for programs
    "|MEMO: |the best simple rule|the one before|Titles "  # words of notifications and of templates
    "|There is no store at |Cannot read the store |There is no setting |`memo up` updates "
    "|The page|Another process serves"
    "|.* is not an ActivityWatch export|No broker is installed; |Setting broker_url is not "  # commands
    "|[^ ]*:M # Can't open "  # a line as Redis logs it
    "|the times of a pause|the uptime at |the event lacks|too many for a person"  # a log at most
    "|it is not a regular file|not a regular file|it keeps changing|the copy is damaged"
)
"""How texts begin that are there too, and never on the page as they are."""
WORD = re.compile("[A-Za-z]{2,}")
WORDS = 3  # in a text that must be a sentence for the page
ENGLISH = re.compile(r"[A-Za-z']{2,}(?: [A-Za-z']{2,}){2}")  # three words in a row


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a file, with {} where they put something in; no docstrings."""
    tree, left_out = parsed(path), set[ast.AST]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            left_out.add(node.value)
        if isinstance(node, ast.JoinedStr):
            left_out |= {*ast.walk(node)} - {node}
            if node not in left_out:
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in left_out:
            yield node.value


def files(place: str) -> set[Path]:
    path = ROOT / place
    return {*path.rglob("*.py")} - CATALOGUES if path.is_dir() else {path}


def bare(sentence: str) -> str:
    return re.sub(r"\{\w+\}", "{}", sentence)


def names(sentence: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", sentence))


def test_each_sentence_is_one_of_the_code() -> None:
    written = {text for room in ROOMS for path in files(room) for text in texts(path)}
    assert [sentence for sentence in CHINESE if bare(sentence) not in written] == []


@pytest.mark.parametrize("place", SHOWN)
def test_each_sentence_of_the_code_is_known(place: str) -> None:
    known = {bare(sentence) for sentence in CHINESE}
    long = {text for path in files(place) for text in texts(path) if len([*filter(WORD.search, text.split())]) >= WORDS}
    assert sorted(text for text in long - known if not OTHER.match(text)) == []


def test_both_languages_put_the_same_in() -> None:
    assert [english for english, chinese in CHINESE.items() if names(english) != sorted({*names(chinese)})] == []


@pytest.mark.parametrize("english", CHINESE)
def test_a_sentence_is_chinese_with_what_it_puts_in(english: str) -> None:
    given = {name: f"<{name}>" if name not in ("kind", "gate") else "OSError" for name in names(english)}
    chinese = CHINESE[english].format(**given)
    if re.search(r"[\u4e00-\u9fff]", chinese):
        assert translate(english.format(**given)) == chinese
    assert not ENGLISH.search(re.sub(r"`[^`]*`", "", chinese))


def test_a_sentence_in_a_sentence_is_translated_too() -> None:
    inner = "FileNotFoundError: /inbox was removed; it will be created and watched again"
    said = f"The source inbox fails ({inner}); it is started again and again. If that lasts, see /logs/collector.log."
    assert translate(said) == (
        "来源 inbox 失败（FileNotFoundError: /inbox 被移走；会重新建立并观察它）；MEMO 会不断重新启动它。"
        "如果一直如此，请看 /logs/collector.log。"
    )


def test_the_systems_reasons_are_those_of_this_system() -> None:
    known = {os.strerror(number) for number in errno.errorcode} | {"database is locked"}
    assert [said for said in SYSTEM if said not in known and not names(said)] == []


def test_several_reasons_are_translated_each() -> None:
    said = "1 files are not read (not regular files); 2 files are not read (Permission denied); /c.log names them"
    assert translate(said) == "有 1 个文件没有读取（不是普通文件）；有 2 个文件没有读取（没有权限）；/c.log 列出它们"


@pytest.mark.parametrize("text", ["The lamp is out.", "Lamp: it is out; mend it", "x" * (LONGEST + 1)])
def test_what_is_not_known_is_marked_as_english(text: str) -> None:
    assert str(in_language(f"{text}<&\u202e", "zh")) == f'<span lang="en">{text}&lt;&amp; </span>'
    assert in_language(text, "en") == text


def test_commands_are_marked_in_both_languages() -> None:
    said = "MEMO is not running; `memo up` starts it."
    assert in_language(said, "en") == "MEMO is not running; <code>memo up</code> starts it."
    assert in_language(said, "zh") == "MEMO 没有运行；<code>memo up</code> 启动它。"
    assert in_language("`<b>`", "en") == "<code>&lt;b&gt;</code>"


@pytest.mark.parametrize("part", ["a; ", "a: ", "; : (", "reason (", "[Errno 1] "])
def test_a_hostile_reason_is_looked_up_soon(part: str) -> None:
    """It would take years if each part were tried with each other, or too many calls if each had parts again."""
    reason = (part * LONGEST)[: LONGEST - 20]
    assert translate(f"The source x: {reason}").startswith("来源 x：")
    assert translate(f"The source x: {reason}y").startswith("来源 x：")


def test_a_sentence_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []
    monkeypatch.setattr(sentences, "_find", lambda sentence: looked_up.append(sentence))
    assert [translate("nobody else says so"), translate("nobody else says so")] == ["", ""]
    assert looked_up == ["nobody else says so"]


def test_the_deepest_sentences_are_translated_to_their_end() -> None:
    said = "The source inbox: 1 files are not read (not regular files); 2 files are not read (Permission denied); "
    assert translate(f"{said}/c.log names them") == (
        "来源 inbox：有 1 个文件没有读取（不是普通文件）；有 2 个文件没有读取（没有权限）；/c.log 列出它们"
    )
    said = "The source x: PermissionError: [Errno 13] Permission denied: '/x'"
    assert translate(said) == "来源 x：PermissionError：没有权限（13）：/x"


@pytest.mark.parametrize("name", [said for said in CHINESE if re.fullmatch("[a-z-]+", said)])
def test_a_name_is_never_translated(name: str) -> None:
    assert translate(f"The source {name}: it ended unexpectedly") == f"来源 {name}：它意外结束"
    assert translate(f"no handler is installed under the name {name}") == f"没有安装名为 {name} 的处理器"
    assert translate(f"handle returned {name}, not a dict") in (f"handle 返回了 {name}，而不是 dict", "")


def test_what_serves_instead_and_a_gate_are_translated() -> None:
    assert translate("it is not a manifest; history alone serves instead.") == "它不是清单文件；改为使用仅历史。"
    assert translate("battery: 5 % is below 20 %") == "电池：5 % 低于 20 %"
    assert translate("late: ask showed a box instead") == "已晚：ask 显示了通知"
    assert translate("budget: 3 of 3 attempts an hour are used up") == "限额：每小时 3 次行动已用去 3 次"
    assert translate("What you wrote is not valid TOML (x); correct that line.").startswith("你写的内容 不是有效的")
