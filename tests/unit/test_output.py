"""Output has one door: a terminal acts on nothing of what a command prints, and a spreadsheet on no cell."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syntax import parsed

from cli.predictions.predict import show_answer
from cli.terminal.output import print_text
from data.importers.cells import FORMULA, harmless, original

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [path for path in sorted((ROOT / "cli").rglob("*.py")) if path.name != "output.py"]
EVIL = "\x1b]0;owned\x07\x1b[2J\u202egpj.exe"


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_print_through_the_door(path: Path) -> None:
    """A bare `print` has a constant text, or one that is made safe on the spot."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            for given_text in node.args:
                names = {call.id for call in ast.walk(given_text) if isinstance(call, ast.Name)}
                is_safe = isinstance(given_text, ast.Call) and getattr(given_text.func, "id", "") == "safe"
                assert is_safe or names <= {"__version__", "HEAD", "chinese"}, f"{path}:{node.lineno}"


def test_predict_prints_nothing_that_a_terminal_acts_on(capsys: pytest.CaptureFixture[str]) -> None:
    action = {"operation": "web_visit", "target": EVIL, "place": ""}
    candidate = {"text": f"2026-03-02 09:00:00 - Visited site {EVIL}", "probability": 0.5, "action": action}
    place = {"operation": "web_visit", "name": EVIL, "probability": 0.5}
    answer = {"candidates": [candidate], "new_probability": 0.5, "places": [place], "person": [candidate]}
    show_answer(answer, "en", as_json=False)
    print_text(EVIL)
    shown = capsys.readouterr().out
    assert "gpj.exe" in shown and not {"\x1b", "\x07", "\u202e"} & set(shown)


@pytest.mark.parametrize("begin", [*FORMULA, "'=", "''@"])
def test_cells_are_no_formulas_and_come_back(begin: str) -> None:
    cell = harmless(f"{begin}cmd|'/c calc'!A1")
    assert cell.startswith("'") and original(cell) == f"{begin}cmd|'/c calc'!A1"


@given(st.text())
def test_every_cell_comes_back(text: str) -> None:
    assert original(harmless(text)) == text and not harmless(text).startswith(FORMULA)
