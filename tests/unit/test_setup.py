"""`memo setup`: what it asks, in which language, and what the answers write into memo.toml."""

import socket
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli.setup import setup as module
from cli.setup.kinds import KINDS, WINDOWS
from collector.plugins import installed_names
from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home
from memo.core.settings import Settings, default_toml

Setup = Callable[..., str]
ALL = Settings.model_fields["sources"].default_factory().on  # type: ignore[call-arg,misc]


@pytest.fixture
def setup(home: Home, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """`memo setup` with these options, answered by `typed` at a terminal; returns what it says, and raises its errors.

    All kinds can be recorded on this machine, and no ActivityWatch server runs.
    """
    monkeypatch.setattr(module._Questions, "_missing", lambda self, kind: "")
    monkeypatch.setattr(module, "find_activitywatch", lambda settings: "")
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    app = typer.Typer()
    app.command()(module.setup)

    def run(*options: str, typed: str = "", is_terminal: bool = True) -> str:
        with monkeypatch.context() as patched:
            patched.setattr(module, "has_terminal", lambda: is_terminal)
            done = CliRunner().invoke(app, options, input=typed, catch_exceptions=False)
        return done.output

    return run


def written(home: Home) -> dict[str, Any]:
    return tomllib.loads(home.config.read_text(encoding="utf-8"))


def test_kinds_name_sources_that_exist() -> None:
    named = [source for kind in KINDS for source in kind.sources]
    assert set(named) <= installed_names() and len(set(named)) == len(named)


def test_setup_takes_the_default_of_each_question(setup: Setup, home: Home) -> None:
    for options, typed in ((("--yes",), ""), ((), "\n" * 5)):
        home.config.unlink(missing_ok=True)
        said = setup(*options, typed=typed)
        assert written(home) == {"sources": {"on": ALL, "recent_days": 30}}, "30 days of pages are the default already"
        assert "Recorded: windows and apps, pages, files." in said
        assert "Imported first: pages of the last 30 days, files of the last 30 days." in said
        assert "Start MEMO with `memo up`" in said


def test_setup_shows_an_example_before_each_question(setup: Setup) -> None:
    said = setup(typed="\n" * 5)
    for example in (
        "Switched to window: report.odt - LibreOffice Writer (app: libreoffice-writer)",
        "Visited site museum.example, page 'Opening hours'",
        "Opened file: report.odt (in /home/ada/Documents)",
    ):
        assert example in " ".join(said.split())
    assert said.index("Visited site") < said.index("Record pages?") < said.index("Opened file")


def test_setup_turns_off_what_is_declined(setup: Setup, home: Home) -> None:
    said = setup(typed="n\nn\ny\nn\n")
    assert written(home)["sources"] == {"on": ["inbox", "recent", "folders", "activitywatch"]}
    assert "Recorded: files." in said and "Imported first" not in said


def test_setup_asks_again_what_it_does_not_understand(setup: Setup, home: Home) -> None:
    said = setup(typed="perhaps\nno\nNO\n否\n")
    assert said.count("answer y for yes or n for no") == 1 and said.count("Record windows and apps?") == 2
    assert written(home)["sources"]["on"] == ["inbox", "activitywatch"]


def test_setup_imports_no_past_that_is_declined(setup: Setup, home: Home) -> None:
    setup(typed="\n\nn\n\nn\n")
    assert written(home)["sources"] == {"on": ALL, "web_days": 0}
    assert Settings.load().sources.recent_days == 0


def test_setup_imports_as_many_days_as_the_settings_say(setup: Setup, home: Home) -> None:
    home.config.write_text("[sources]\nweb_days = 90\n")
    said = setup(typed="\n" * 5)
    assert "Import the last 90 days first" in said and written(home)["sources"]["web_days"] == 90


def test_setup_again_keeps_former_answers_and_comments(setup: Setup, home: Home) -> None:
    home.config.write_text('# mine\n[sources]\nfolders = ["~/x"] # why\non = ["inbox", "x11", "web"] # chosen\n')
    setup(typed="\n" * 5)
    text = home.config.read_text(encoding="utf-8")
    assert text.startswith('# mine\n[sources]\nfolders = ["~/x"] # why\non = ["inbox", "x11", "web"] # chosen\n')
    setup(typed="\n\n\ny\n\n")
    assert written(home)["sources"]["on"] == ["inbox", "x11", "web", "recent", "folders"]


def test_setup_marks_that_it_has_asked(setup: Setup, home: Home) -> None:
    home.config.write_text(default_toml())
    assert not module.is_asked()
    setup("--yes")
    assert module.is_asked()


def test_setup_speaks_the_language_of_the_session(setup: Setup, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    said = setup(typed="\n" * 5)
    assert "要记录窗口和应用吗？" in said and "切换到窗口" in said and "Record" not in said
    assert written(home)["language"] == "zh"
    home.config.write_text("language = 'en'\n")
    assert "Record windows and apps?" in setup(typed="\n" * 5), "what was chosen comes first"
    assert written(home)["language"] == "en"


@pytest.mark.parametrize("typed", ["", "y\n"])
def test_setup_broken_off_changes_nothing(setup: Setup, home: Home, typed: str) -> None:
    with pytest.raises(MemoError, match="nothing was changed"):
        setup(typed=typed)
    assert not home.config.exists()


def test_setup_without_a_terminal_says_what_to_do(setup: Setup, home: Home) -> None:
    with pytest.raises(UsageError, match="memo setup --yes"):
        setup(is_terminal=False)
    assert not home.config.exists()


def test_setup_refuses_what_the_environment_decides(setup: Setup, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_SOURCES__ON", '["inbox"]')
    assert module.is_asked()
    with pytest.raises(UsageError, match="MEMO_SOURCES__ON"):
        setup("--yes")
    assert not home.config.exists()


@pytest.mark.parametrize(
    ("desktop", "x11", "others", "says"),
    [
        ("ubuntu:GNOME", "This is a Wayland session.", "", "with the extension or script in"),
        ("ubuntu:GNOME", "", "", ""),
        ("sway", "This is a Wayland session.", "", ""),
        ("", "No X server is known.", "No sway.", "Not possible yet: No X server is known."),
    ],
)
def test_setup_says_what_windows_need(
    home: Home, monkeypatch: pytest.MonkeyPatch, desktop: str, x11: str, others: str, says: str
) -> None:
    class Found:
        def __init__(self, name: str, settings: Settings, home: Home) -> None:
            self.name = name

        def missing(self) -> str:
            return x11 if self.name == "x11" else others

    monkeypatch.setattr("collector.plugins.make_source", Found)
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", desktop)
    said = module._Questions(home, Settings(), "en", True)._missing(WINDOWS)
    assert says in said if says else said == ""


def test_setup_offers_activitywatch_where_it_runs(setup: Setup, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_activitywatch", lambda settings: "http://127.0.0.1:5600")
    setup(typed="\n" * 6)
    assert "activitywatch" not in written(home)["sources"]["on"], "the sources see the same"
    setup(typed="n\nn\nn\ny\n")
    assert written(home)["sources"]["on"] == ["inbox", "activitywatch"]
    assert written(home)["sources"]["activitywatch_url"] == "http://127.0.0.1:5600"


def test_another_server_is_no_activitywatch(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(module, "USUAL_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        assert module.find_activitywatch(Settings(), answer_s=0.1) == "", "it takes the connection, and says nothing"
    assert module.find_activitywatch(Settings()) == ""


def test_nobody_is_asked_without_a_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_terminal", lambda: True)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not module.can_ask()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-1")
    assert module.can_ask()
    monkeypatch.setattr(module, "has_terminal", lambda: False)
    assert not module.can_ask()
