import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from conftest import logging_restored
from histories import Chromium
from stores import make_store

import cli
from cli import COMMANDS, main
from cli.stack.first_run import missing_model_notice
from db.engine import open_store
from db.intake import cursors, redactions
from memo import __version__
from memo.clock import pauses
from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running


@dataclass
class Done:
    """The outcome of a command."""

    status: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that calls `memo WORDS…` in this process."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")

    def call(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["memo", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert code is None or isinstance(code, int), code
        return Done(code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Return a function that lets `memo pause` raise an error."""

    def let(error: BaseException) -> None:
        def pause() -> None:
            raise error

        module = ModuleType("cli.stack.pause")
        module.pause = pause  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "cli.stack.pause", module)

    return let


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Undo the logging that the command line sets up."""
    with logging_restored():
        yield


def test_version_option_prints_the_version(run: Run) -> None:
    assert run("--version") == Done(0, f"memo {__version__}\n", "")


def test_help_names_each_command(run: Run) -> None:
    done = run("--help")
    assert done.status == 0
    named = [words[1] for line in done.out.splitlines() if len(words := line.split()) > 1 and words[0] in "│|"]
    assert [name for name in COMMANDS if name not in named] == []


def test_main_without_a_command_shows_help(run: Run) -> None:
    alone, asked = run(), run("--help")
    assert (alone.status, (alone.out + alone.err).strip()) == (2, asked.out.strip())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(run: Run, name: str) -> None:
    done = run(name, "--help")
    assert done.status == 0
    assert f"memo {name}" in done.out.split("\n\n")[0].replace("\n", " ")
    assert "--help" in done.out and done.err == ""


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["nonsense"], "nonsense"),
        (["statsu", "--json"], "statsu"),
        (["--wrong"], "--wrong"),
        (["status", "--wrong"], "--wrong"),
        (["up", "--for", "0"], "--for"),
        (["up", "--part", "broker"], "--part"),
        (["up", "more"], "more"),
    ],
)
def test_wrong_use_exits_with_2_and_a_hint(run: Run, words: list[str], wrong: str) -> None:
    done = run(*words)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("Usage: ") and "--help" in done.err
    assert wrong in done.err


@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("up", "--replay day.txt --speed 60"),
        ("predict", "Started app: Firefox"),
        ("predict", '{"window": [LINE, …]} is answered'),
        ("history", "--since 1d --format csv"),
        ("history", "by default 20 in a table"),
        ("import", '"operation": "process_start"'),
    ],
)
def test_help_teaches_by_example(run: Run, name: str, example: str) -> None:
    words = run(name, "--help").out.replace("│", " ").split()
    assert example in " ".join(words)


@pytest.mark.parametrize("words", [["up", "--part", "broker"], ["history", "--format", "xml"]])
def test_unknown_choice_is_named_with_the_valid_ones(run: Run, words: list[str]) -> None:
    error = run(*words).err
    assert f"'{words[-1]}' is not one of '" in error and "Value error" not in error


@pytest.mark.parametrize(("kind", "status"), [(MemoError, 1), (UsageError, 2)])
def test_memo_error_prints_its_sentence_alone(
    run: Run, fails: Callable[[BaseException], None], kind: type[MemoError], status: int
) -> None:
    fails(kind("The disk is full; make room."))
    assert run("pause") == Done(status, "", "The disk is full; make room.\n")


def test_error_with_escapes_is_printed_harmless(run: Run, fails: Callable[[BaseException], None]) -> None:
    fails(MemoError("No file \x1b]0;title\x07\x1b[2J\r\n; name one."))
    assert run("pause").err == "No file  ]0;title  [2J  ; name one.\n"


def test_bug_prints_a_sentence_and_logs_the_traceback(
    run: Run, fails: Callable[[BaseException], None], home: Home, restored_logging: None
) -> None:
    fails(ZeroDivisionError("nobody thought of it"))
    log = home.logs / "cli.log"
    sentence = f"MEMO failed unexpectedly (ZeroDivisionError: nobody thought of it); details are in {log}.\n"
    assert run("pause") == Done(1, "", sentence)
    assert "Traceback" in log.read_text() and '"pause"' in log.read_text()


def test_bug_without_a_log_still_prints_a_sentence(
    run: Run, fails: Callable[[BaseException], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails(ZeroDivisionError("nobody thought of it"))
    monkeypatch.setenv("MEMO_HOME", "/dev/null/home")
    done = run("pause")
    assert (done.status, done.out) == (1, "")
    assert done.err.endswith("(ZeroDivisionError: nobody thought of it); its details could not be logged.\n")


@pytest.mark.parametrize("name", ["status", "up", "down", "doctor", "pause", "resume", "history", "watch"])
def test_unusable_home_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("MEMO_HOME", "/dev/null/home")
    done = run(name)
    assert (done.status, done.out) == (2, "")
    assert done.err == "Cannot use MEMO_HOME /dev/null/home (Not a directory); choose a folder you own.\n"


@pytest.mark.parametrize("name", ["status", "up", "doctor", "history", "watch", "predict"])
@pytest.mark.parametrize("wrong", ['language = "tlh"', "langage = 'en'", "[predict]\ntop = 0", "top ="])
def test_wrong_setting_is_one_sentence(run: Run, home: Home, name: str, wrong: str) -> None:
    home.config.write_text(wrong)
    done = run(name)
    assert (done.status, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1 and str(home.config) in done.err


def test_pause_and_resume_twice_succeed(run: Run, home: Home) -> None:
    for name, paused in (("pause", True), ("pause", True), ("resume", False), ("resume", False)):
        assert run(name).status == 0
        assert (pauses.current(home) is not None) is paused


def test_resume_says_what_it_did(run: Run, home: Home) -> None:
    assert run("resume").out == "Recording was not paused. MEMO is not running; `memo up` starts it.\n"
    run("pause")
    assert run("resume").out == "The pause has ended. MEMO is not running; `memo up` starts it.\n"
    run("pause")
    with running.hold(home):
        assert run("resume").out == "The pause has ended.\n"
        assert run("resume").out == "Recording was not paused.\n"


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("train --now day.txt", "leave out FILE and --activate"),
        ("train --now --activate", "leave out FILE and --activate"),
        ("predict --stream day.txt", "leave out the rest"),
        ("predict --stream --out answers.csv", "leave out the rest"),
        ("import day.txt --days 9", "add --browser"),
    ],
)
def test_what_would_be_ignored_is_refused(run: Run, given: str, remedy: str) -> None:
    done = run(*given.split())
    assert (done.status, done.out) == (2, "") and remedy in done.err


@pytest.mark.parametrize("span", ["30", "0m", "m", "-1m", "1y", "9999999m", "1 m", "１m"])
def test_pause_with_a_wrong_duration_is_refused(run: Run, home: Home, span: str) -> None:
    done = run("pause", "--", span)
    assert (done.status, done.out) == (2, "") and "30m" in done.err
    assert pauses.current(home) is None


def test_why_explains_a_prediction_or_the_rules(run: Run) -> None:
    done = run("why", "1", "--redacted")
    assert (done.status, done.out) == (2, "") and "--redacted" in done.err


def test_why_without_a_prediction_says_so(run: Run, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_SCOPE", "bo@host")
    done = run("why")
    none = "There are no predictions of bo@host yet; give an id from `memo history`"
    assert (done.status, done.out) == (2, "") and none in done.err
    make_store(Settings.load(), home)
    assert none in run("why").err


def test_why_redacted_without_a_store_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("why", "--redacted").out == "No privacy rule has acted yet.\n"
    assert run("why", "--redacted", "--json").out == "[]\n"
    monkeypatch.setenv("MEMO_LANGUAGE", "zh")
    assert run("why", "--redacted").out == "还没有隐私规则起过作用。\n"


@pytest.mark.parametrize(
    ("language", "number", "words"),
    [
        ("en", 3, "       3 events, last at 2"),
        ("en", 1, "       1 event, last at 2"),
        ("zh", 3, "       3个事件，最近一次在 2"),
    ],
)
def test_why_redacted_is_in_the_language_of_settings(
    run: Run, home: Home, monkeypatch: pytest.MonkeyPatch, language: str, number: int, words: str
) -> None:
    monkeypatch.setenv("MEMO_LANGUAGE", language)
    make_store(Settings(), home)
    store = open_store(Settings(), home)
    with store.write() as session:
        redactions.add_redactions(session, "web", {"sites": number})
    store.close()
    assert f"sites           {words}" in run("why", "--redacted").out


def test_missing_model_notice_names_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert missing_model_notice("builtin") == missing_model_notice(str(tmp_path)) == ""
    begins = "The base model {} is not on this machine, so predictions come from history alone; {}"
    for name, remedy in {
        "nobody/nothing": "run `memo model pull nobody/nothing`",
        "/no/model": "set model.base",
    }.items():
        assert missing_model_notice(name).startswith(begins.format(name, remedy))


@pytest.fixture
def nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """End `memo up` of a person whose home is `tmp_path` before anything is started."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("cli.stack.up.start_in_background", lambda *_: sys.exit(0))


def test_up_announces_the_browser_import_once(run: Run, tmp_path: Path, nothing_starts: None, home: Home) -> None:
    assert run("up").out == ""
    Chromium(tmp_path / ".config/chromium/Default").close()
    notice = "The last 30 days of your browser histories are imported first; `memo sources` shows the progress.\n"
    assert run("up").out == notice
    assert run("up", "--part", "dispatcher").out == "", "the dispatcher reads none"
    store = open_store(Settings(), home)
    with store.write() as session:
        cursors.record_cursor(session, "web", "chromium Default", {})
    store.close()
    assert run("up").out == ""


def test_up_announces_a_missing_base_model(run: Run, monkeypatch: pytest.MonkeyPatch, nothing_starts: None) -> None:
    monkeypatch.setenv("MEMO_MODEL__BASE", "/no/such/model")
    assert "predictions come from history alone" in run("up").out
    assert run("up", "--part", "collector").out == "", "the collector has no model"


def test_down_without_a_stack_says_so_each_time(run: Run, home: Home) -> None:
    home.standby.touch()
    assert run("down") == run("down") == Done(0, "MEMO is not running.\n", "")
    assert os.listdir(home.run) == []


def test_main_loads_only_the_called_command(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    loaded: list[list[str]] = []

    def make(names: list[str]) -> Callable[[], None]:
        loaded.append(names)
        return lambda: sys.exit(0)

    monkeypatch.setattr(cli, "make", make)
    for words in (["status"], ["status", "--json"], ["--help"], ["nonsense"]):
        run(*words)
    assert loaded == [["status"], ["status"], list(COMMANDS), list(COMMANDS)]
