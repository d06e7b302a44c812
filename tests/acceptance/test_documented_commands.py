"""The commands that the documents show, run in their order on the real stack with a synthetic person's day."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from documented import shown_commands
from stack import MEMO, Stack, interrupt, new_stack
from waiting import until

Command = tuple[str, ...]
DAY = (ROOT / "data" / "sample" / "day.txt").read_text(encoding="utf-8").splitlines()[:160]
SKIPPED = {
    "make": "installs and tests this very checkout",
    "pip": "needs the network",
    "unzip": "opens what the command before it fetched",
    "memo model pull": "needs the network",
    "memo config set model.base": "needs the folder of a model that was pulled; tests/models uses one",
    "jq": "is no program of ours",
    "docker": "needs a container engine",
    "redis-cli": "needs names of a running broker; test_examples runs a program of these commands",
    "keys=": "changes GNOME's settings",
    "path=": "changes GNOME's settings",
    "gsettings": "changes GNOME's settings",
    "memo pick": "needs a desktop with a picker",
    "memo service": "starts units of the session that runs the tests",
    "memo mcp": "waits for an assistant; test_assistants is one",
    "memo feedback last": "needs a notification that was shown",
    "memo restore": "needs a damaged store",
    "memo report": "needs more than a day; tests/integration/test_report.py has one",
}
"""Why a command is not run; tests/unit/test_documented_options.py still reads its options."""
ASKING = {"memo setup", "memo uninstall", "memo forget --all"}
"""They ask, and nobody answers."""
ENDLESS = ("memo watch", "memo up --foreground")
"""They go on until Ctrl-C."""


def _begins(command: Command, prefix: str) -> bool:
    return " ".join(command).startswith(prefix)


LAST = ("memo down", "memo up --foreground", "memo pause")
"""They end the recording, which others need."""
RUN = sorted(
    (command for command in shown_commands() if not any(_begins(command, prefix) for prefix in SKIPPED)),
    key=lambda command: next((number for number, prefix in enumerate(LAST, 1) if _begins(command, prefix)), 0),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Command, tuple[int, str]]]:
    """The exit status of each command, and what it said."""
    work = tmp_path_factory.mktemp("work")
    (work / "day.txt").write_text("".join(f"{line}\n" for line in DAY), encoding="utf-8")
    windows = [{"instruction": "", "input": "\n".join(DAY[:5]), "output": DAY[5]}]
    (work / "FILE.json").write_text(json.dumps(windows), encoding="utf-8")
    training = {"MEMO_TRAIN__EPOCHS": "1", "MEMO_TRAIN__MINIMUM_EVENTS": "100"}
    with new_stack(**training, DISPLAY="", WAYLAND_DISPLAY="") as stack:
        stack.cwd, found = work, {}
        for command in RUN:
            found[command] = _run(stack, command)
            if command == ("memo", "up"):
                stack.run()
                stack.predict(DAY[:5])
        yield found


def _run(stack: Stack, command: Command) -> tuple[int, str]:
    words = [_in_place_of(word, stack) for word in command[1:]]
    if any(_begins(command, prefix) for prefix in ENDLESS):
        return _run_until_line(stack, words)
    done = stack.memo(*words)
    return done.returncode, done.stdout + done.stderr


def _run_until_line(stack: Stack, words: list[str]) -> tuple[int, str]:
    """Run a command until it says something, then press Ctrl-C; while it watches, something happens."""
    assert stack.cwd
    output = stack.cwd / "output"
    with output.open("w") as file:
        process = stack.start(MEMO, *words, output=file)

        def has_spoken() -> bool:
            if words[0] == "watch" and not output.stat().st_size:
                _focus_window(stack)
            return output.stat().st_size > 0 or process.poll() is not None

        until(f"a line of {words}", has_spoken)
        return interrupt(process)[0], output.read_text(encoding="utf-8")


def _focus_window(stack: Stack) -> None:
    number = stack.one("SELECT count(*) FROM events")
    stack.predict([f"2026-11-20 {number // 60:02}:{number % 60:02}:00 - Switched to window: Notes {number % 3}"])


def _in_place_of(word: str, stack: Stack) -> str:
    """Return what a reader would write in the place of a word in capitals."""
    if word == "ID":
        return str(stack.one("SELECT max(id) FROM predictions"))
    return str(Path(stack.cwd or "") / "day.txt") if word == "FILE" else word


@pytest.mark.parametrize("command", RUN, ids=" ".join)
def test_a_shown_command_does_what_it_says(command: Command, results: dict[Command, tuple[int, str]]) -> None:
    status, said = results[command]
    asks = " ".join(command) in ASKING
    assert status == (2 if asks else 0), said
    assert not asks or "Nobody" in said


@pytest.mark.parametrize("prefix", [*SKIPPED, *ASKING, *ENDLESS])
def test_an_exception_is_still_shown_somewhere(prefix: str) -> None:
    assert any(_begins(command, prefix) for command in shown_commands())
