import io
from contextlib import redirect_stderr

import pytest

from cli.predictions import predict
from cli.stack import doctor
from cli.terminal.progress import spinner
from memo.core.paths import Home

pytestmark = pytest.mark.parametrize("terminal", [True, False])


class Errors(io.StringIO):
    """Standard error: a terminal, or none."""

    def __init__(self, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._terminal = terminal
        monkeypatch.setenv("TERM", "xterm")

    def isatty(self) -> bool:
        return self._terminal

    def said(self, words: str) -> bool:
        """Whether a terminal has the words, and what is none has nothing."""
        return words in self.getvalue() if self._terminal else not self.getvalue()


def test_words_turn_on_a_terminal_alone(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with redirect_stderr(Errors(terminal, monkeypatch)) as errors, spinner("waiting"):
        pass
    assert errors.said("waiting")


def test_doctor_says_what_it_looks_at(
    terminal: bool, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"model": lambda *_: "base builtin"})
    with redirect_stderr(Errors(terminal, monkeypatch)) as errors, pytest.raises(SystemExit):
        doctor.doctor()
    assert capsys.readouterr().out == "ok    model     base builtin\n"
    assert errors.said("looking at the model")


def test_predict_says_what_it_waits_for(
    terminal: bool, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("memo.core.logs.setup", lambda *_: None)
    monkeypatch.setattr(predict, "_newest", lambda *_: {"candidates": []})
    with redirect_stderr(Errors(terminal, monkeypatch)) as errors:
        predict.predict(as_json=True)
    assert capsys.readouterr().out == '{"candidates": []}\n'
    assert errors.said("loading the language model")
