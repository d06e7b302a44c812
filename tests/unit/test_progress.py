import io
from contextlib import redirect_stderr

import pytest

from cli.predictions import predict
from cli.stack import doctor
from cli.terminal.progress import spinner
from memo.core.paths import Home

pytestmark = pytest.mark.parametrize("terminal", [True, False])


class Errors(io.StringIO):
    """Standard error that is a terminal or not."""

    def __init__(self, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._terminal = terminal
        monkeypatch.setenv("TERM", "xterm")

    def isatty(self) -> bool:
        return self._terminal

    def shows(self, words: str) -> bool:
        """Return whether a terminal shows the words, or anything else shows nothing."""
        return words in self.getvalue() if self._terminal else not self.getvalue()


def test_spinner_shows_words_on_a_terminal_alone(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with redirect_stderr(Errors(terminal, monkeypatch)) as errors, spinner("waiting"):
        pass
    assert errors.shows("waiting")


def test_doctor_shows_what_it_checks(
    terminal: bool, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"model": lambda *_: "base builtin"})
    with redirect_stderr(Errors(terminal, monkeypatch)) as errors, pytest.raises(SystemExit):
        doctor.doctor()
    assert capsys.readouterr().out == "ok    model     base builtin\n"
    assert errors.shows("checking the model")


def test_predict_shows_what_it_waits_for(
    terminal: bool, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("memo.core.logs.setup", lambda *_: None)
    monkeypatch.setattr(predict, "answer_newest", lambda *_: {"candidates": []})
    with redirect_stderr(Errors(terminal, monkeypatch)) as errors:
        predict.predict(as_json=True)
    assert capsys.readouterr().out == '{"candidates": []}\n'
    assert errors.shows("loading the language model")
