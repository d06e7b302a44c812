"""The first `memo up --foreground` on a desktop asks what to record, and no later one does."""

import os
import pty
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from stack import MEMO, Stack, new_stack
from waiting import until


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, stack: Stack, *words: str) -> None:
        environment = {name: value for name, value in stack.environment.items() if name != "MEMO_SOURCES__ON"}
        environment |= {"DISPLAY": ":9999", "COLUMNS": "200", "LANG": "C.UTF-8", "LC_ALL": ""}
        self.said, self._screen = "", -1
        self._screen, end = pty.openpty()
        self.process = subprocess.Popen([MEMO, *words], env=environment, stdin=end, stdout=end, stderr=end)
        os.close(end)
        os.set_blocking(self._screen, False)

    def shows(self, words: str) -> bool:
        """Return whether the words were shown by now."""
        with suppress(BlockingIOError, OSError):  # nothing new; the command has ended
            while part := os.read(self._screen, 10_000):
                self.said += part.decode(errors="replace")
        return words in self.said

    def type(self, words: str) -> None:
        os.write(self._screen, words.encode())

    def end(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        until("its end", lambda: self.shows("") and self.process.poll() is not None)
        os.close(self._screen)


@contextmanager
def foreground(stack: Stack) -> Iterator[Terminal]:
    terminal = Terminal(stack, "up", "--foreground")
    try:
        yield terminal
    finally:
        terminal.type("\x03" * (terminal.process.poll() is None))
        terminal.end()


@pytest.fixture
def fresh() -> Iterator[Stack]:
    with new_stack() as stack:
        yield stack


def test_first_start_on_a_desktop_asks_once(fresh: Stack) -> None:
    with foreground(fresh) as terminal:
        for question, answer in (("windows and apps?", "n"), ("pages?", "n"), ("files?", "n")):
            until(question, lambda question=question: terminal.shows(f"Record {question}"))  # type: ignore[misc]
            terminal.type(f"{answer}\n")
        until("the start", lambda: terminal.shows("Ctrl-C stops MEMO."))
        assert "Recorded: nothing but your lines in the inbox." in terminal.said
        until("all parts run", lambda: all(part["state"] == "running" for part in fresh.status()["parts"]))
        until("its sources", lambda: set(fresh.status()["sources"]) == {"inbox", "activitywatch"})
    assert terminal.process.returncode == 0 and "invented person" not in terminal.said
    assert tomllib.loads((fresh.home.root / "memo.toml").read_text())["sources"]["on"] == ["inbox", "activitywatch"]
    with foreground(fresh) as again:
        until("the start", lambda: again.shows("Ctrl-C stops MEMO."))
    assert "Record " not in again.said and "invented person" not in again.said


def test_questions_left_by_ctrl_c_start_nothing(fresh: Stack) -> None:
    with foreground(fresh) as terminal:
        until("a question", lambda: terminal.shows("Record windows and apps?"))
    assert terminal.process.returncode == 1 and "nothing was changed" in terminal.said
    assert fresh.leftovers() == []
