"""Commands of `memo` in this process."""

import json
from typing import Any

from conftest import logging_restored
from typer.testing import CliRunner, Result

from cli import make
from memo.core.errors import MemoError


def memo(*words: str, typed: str = "") -> Result:
    """Run a command; return its output, its exit status, and the error that it raised."""
    with logging_restored():
        return CliRunner().invoke(make([words[0]]), words, input=typed)


def printed(*words: str) -> str:
    """Run a command that has to succeed; return what it prints. Raises its error."""
    done = memo(*words)
    if isinstance(done.exception, MemoError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def memo_import(*words: str) -> dict[str, Any]:
    """Run `memo import`; return its report."""
    report: dict[str, Any] = json.loads(printed("import", *words, "--json"))
    return report
