"""`memo config`: what it shows, what it writes into memo.toml, and what it refuses to write."""

import json
import os
import stat
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from stores import make_store
from typer.testing import CliRunner

from cli.setup.config import app
from memo.config import settings_file
from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home
from memo.core.settings import Settings, default_toml, setting_keys

Memo = Callable[..., str]
Editor = Callable[[str], None]


@pytest.fixture
def memo(home: Home, monkeypatch: pytest.MonkeyPatch) -> Memo:
    """`memo config` with these words; returns what it prints, and raises its errors."""

    def run(*words: str, typed: str = "") -> str:
        done = CliRunner().invoke(app, words, input=typed, catch_exceptions=False)
        return done.output

    return run


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """An editor that does these Python statements with the text `t`; each line is one of its runs."""

    def use(*runs: str, status: int = 0) -> None:
        script = tmp_path / "my editor.py"
        counter = tmp_path / "runs"
        script.write_text(
            "import pathlib, sys\n"
            f"p, c = pathlib.Path(sys.argv[1]), pathlib.Path({str(counter)!r})\n"
            "n = int(c.read_text()) if c.exists() else 0\n"
            "c.write_text(str(n + 1))\n"
            f"t = p.read_text(); t = eval({list(runs)!r}[n]); p.write_text(t)\n"
            f"sys.exit({status})\n"
        )
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", f"{sys.executable} '{script}'")

    return use


def written(home: Home) -> dict[str, object]:
    return tomllib.loads(home.config.read_text(encoding="utf-8"))


def test_get_names_value_and_origin_of_each_key(memo: Memo, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.config.write_text("[window]\nsize = 7\n")
    monkeypatch.setenv("MEMO_PREDICT__TOP", "3")
    monkeypatch.setenv("MEMO_TRAIN", '{"seed": 4}')
    found = json.loads(memo("get", "--json"))
    assert list(found) == setting_keys()
    assert found["window.size"] == {"value": 7, "from": "file"}
    assert found["predict.top"] == {"value": 3, "from": "environment"}
    assert found["train.seed"] == {"value": 4, "from": "environment"}
    assert found["train.rank"] == {"value": 8, "from": "default"}
    assert memo("get", "schedule.prune_every") == "schedule.prune_every = 86400.0  (default)\n"


def test_excluding_something_says_that_what_is_stored_stays(memo: Memo, home: Home, editor: Editor) -> None:
    says = "What is stored already stays"
    assert says not in memo("set", "privacy.apps", "mail"), "there is no store"
    make_store(Settings.load(), home)
    assert f"{says} until `memo forget --app` deletes it." in memo("set", "privacy.apps", "mail", "chat")
    assert f"{says} until `memo forget --text` deletes it." in memo("set", "privacy.folders", "/home/ada/diary")
    assert f"{says} until `memo forget` deletes it." in memo("set", "privacy.titles", "diary.*")
    assert says not in memo("set", "privacy.apps", "mail"), "nothing more is excluded"
    editor("t.replace('mail', 'game')")
    assert f"{says} until `memo forget --app` deletes it." in memo("edit")


def test_get_hides_secrets_and_passwords(memo: Memo, home: Home) -> None:
    home.config.write_text(
        'database_url = "postgresql+psycopg://ada:pass/@word@host/x"\n[webhook]\nsecret = "0123456789abcdef"'
    )
    for words in (("get",), ("get", "--json")):
        shown = memo(*words)
        assert "0123456789abcdef" not in shown and "word@" not in shown
        assert "postgresql+psycopg://***@host/x" in shown


@pytest.mark.parametrize(
    ("key", "words", "value"),
    [
        ("privacy.apps", ["signal", "my app"], ["signal", "my app"]),
        ("privacy.apps", ['["a"]'], ["a"]),
        ("privacy.apps", ["[]"], []),
        ("language", ["zh"], "zh"),
        ("dispatch.quiet_hours", ["22:00-07:30"], "22:00-07:30"),
        ("dispatch.quiet_hours", ['""'], ""),
        ("scope", ["7"], "7"),
        ("privacy.builtin", ["false"], False),
        ("train.learning_rate", ["1e-4"], 1e-4),
        ("schedule.retrain_every", ["60"], 60),
        ("dispatch.routes", ['{web_visit = ["log"]}'], {"web_visit": ["log"]}),
    ],
)
def test_set_writes_the_value_on_its_commented_line(
    memo: Memo, home: Home, key: str, words: list[str], value: object
) -> None:
    memo("set", key, *words)
    table, _, name = key.rpartition(".")
    assert written(home) == ({table: {name: value}} if table else {name: value})
    before, after = default_toml().splitlines(), home.config.read_text(encoding="utf-8").splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1 + bool(table)
    assert changed[-1][0].rpartition("  # ")[2] == changed[-1][1].rpartition("  # ")[2]
    assert stat.S_IMODE(home.config.stat().st_mode) == 0o600


@pytest.mark.parametrize("key", setting_keys())
def test_set_of_each_key_to_its_default_is_accepted(key: str, home: Home) -> None:
    lines = default_toml().replace("\n# [", "\n[").splitlines()
    table, _, name = key.rpartition(".")
    begin = lines.index(f"[{table}]") if table else 0
    line = next(line for line in lines[begin:] if line.startswith(f"# {name} = "))
    value = tomllib.loads(line.removeprefix("# "))[name]
    text = settings_file.with_value(default_toml(), key, value)
    Settings.check(text)
    assert tomllib.loads(text) == ({table: {name: value}} if table else {name: value})


def test_set_keeps_what_a_person_wrote(memo: Memo, home: Home) -> None:
    home.config.write_text(
        "# mine\nlanguage = 'zh' # why\n[privacy]\n# [window]\n# size = 5\nsites = [ # two\n'a.b']\n"
    )
    memo("set", "window.size", "9")
    memo("set", "language", "en")
    text = home.config.read_text()
    assert text.startswith('# mine\nlanguage = "en" # why\n[privacy]\n# [window]\n# size = 5\nsites = [ # two\n')
    assert written(home) == {"language": "en", "privacy": {"sites": ["a.b"]}, "window": {"size": 9}}


def test_set_of_a_linked_file_keeps_the_link(memo: Memo, home: Home, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text("")
    home.config.symlink_to(real)
    memo("set", "language", "zh")
    assert home.config.is_symlink() and tomllib.loads(real.read_text()) == {"language": "zh"}


@pytest.mark.parametrize(
    ("key", "word", "reason"),
    [
        ("window.sise", "3", "There is no setting window.sise; the nearest are window.size"),
        ("size", "3", "There is no setting size; the nearest are window.size"),
        ("window", "3", "There is no setting window; the nearest are "),
        ("window.size", "many", "Setting window.size is wrong"),
        ("window.size", "3\nlanguage = 'zh'", "Setting window.size is wrong"),
        ("privacy.titles", "(", "Setting privacy.titles.0 is wrong"),
        ("webhook.secret", "0123456789abcdef", "memo config edit"),
    ],
)
def test_set_refuses_and_leaves_the_file(memo: Memo, home: Home, key: str, word: str, reason: str) -> None:
    home.config.write_text("[predict]\ntop = 2\n")
    with pytest.raises(UsageError) as raised:
        memo("set", key, word)
    assert reason in str(raised.value) and "\n" not in str(raised.value)
    assert home.config.read_text() == "[predict]\ntop = 2\n"


def test_set_refuses_what_the_environment_would_hide(memo: Memo, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_WINDOW__SIZE", "4")
    with pytest.raises(UsageError, match="nothing was changed"):
        memo("set", "window.size", "0")
    assert "MEMO_WINDOW__SIZE" in memo("set", "window.size", "6")
    assert Settings.load().window.size == 4 and written(home) == {"window": {"size": 6}}


@pytest.mark.parametrize(
    ("key", "words", "effect"),
    [
        ("privacy.apps", ["a", "b"], "It is in force now."),
        ("privacy.apps", ["b"], "what it no longer leaves out is recorded after 2 s"),
        ("dispatch.on", ["notify"], "It is in force now."),
        ("window.size", ["6"], "still uses the former value; run `memo down`"),
        ("window.size", ["7"], "MEMO was started with MEMO_WINDOW__SIZE in its environment"),
    ],
)
def test_set_says_when_the_running_memo_follows(
    memo: Memo, home: Home, monkeypatch: pytest.MonkeyPatch, key: str, words: list[str], effect: str
) -> None:
    home.config.write_text("[privacy]\napps = ['a']\n")
    variables = {"MEMO_WINDOW__SIZE": "3"} if words == ["7"] else {}
    monkeypatch.setattr("cli.setup.config.running.holder", lambda home: 4)
    monkeypatch.setattr("cli.setup.config._environment", lambda pid: variables)
    assert effect in memo("set", key, *words).splitlines()[-1]


def test_set_while_memo_is_stopped_counts_at_once(memo: Memo, home: Home) -> None:
    assert "MEMO is not running: commands use the new value at once" in memo("set", "privacy.apps", "a")


def test_save_refuses_a_file_that_changed_meanwhile(home: Home) -> None:
    settings_file.write_default(home)
    home.config.write_text("language = 'zh'\n")
    with pytest.raises(MemoError, match="was changed meanwhile"):
        settings_file.save(home, default_toml(), "")
    assert written(home) == {"language": "zh"}


def test_edit_replaces_the_file_with_what_is_right(memo: Memo, home: Home, editor: Callable[..., None]) -> None:
    editor("t.replace('# language = \"en\"', 'language = \"zh\"')")
    assert f"{home.config} is changed." in memo("edit")
    assert written(home) == {"language": "zh"}
    assert not (home.run / "memo.toml").exists()


def test_edit_asks_again_until_it_is_right(memo: Memo, home: Home, editor: Callable[..., None]) -> None:
    editor("'language = \"fr\"'", "'language = '", "t + '\"zh\"'")
    shown = memo("edit", typed="y\ny\n")
    assert "Setting language is wrong" in shown and "not valid TOML" in shown
    assert written(home) == {"language": "zh"}


@pytest.mark.parametrize("typed", ["n\n", ""])
def test_edit_keeps_what_was_typed(memo: Memo, home: Home, editor: Callable[..., None], typed: str) -> None:
    editor("'language = \"fr\"'", "t.replace('fr', 'zh')")
    with pytest.raises(MemoError, match="what you typed is kept in"):
        memo("edit", typed=typed)
    assert not home.config.exists()
    assert stat.S_IMODE((home.run / "memo.toml").stat().st_mode) == 0o600
    assert "You go on with what you typed before" in memo("edit")
    assert written(home) == {"language": "zh"}


def test_edit_keeps_the_text_of_an_editor_that_fails(memo: Memo, home: Home, editor: Callable[..., None]) -> None:
    editor("'language = \"zh\"'", status=3)
    with pytest.raises(MemoError, match="status 3"):
        memo("edit")
    assert (home.run / "memo.toml").read_text() == 'language = "zh"' and not home.config.exists()


def test_edit_without_a_change_leaves_no_copy(memo: Memo, home: Home, editor: Callable[..., None]) -> None:
    editor("t")
    assert memo("edit") == "Nothing was changed.\n"
    assert os.listdir(home.run) == [] and not home.config.exists()


def test_edit_without_an_editor_names_the_variable(memo: Memo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "no-such-editor")
    with pytest.raises(UsageError, match="no-such-editor is not installed; name one in the variable EDITOR"):
        memo("edit")
