"""Names of tests are short enough to be read in a report."""

import ast
from pathlib import Path

MAX_LENGTH = 60
TESTS = Path(__file__).resolve().parents[1]


def test_test_names_fit_the_limit() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in TESTS.rglob("test_*.py")]
    names = [node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [name for name in names if name.startswith("test_") and len(name) > MAX_LENGTH] == []
