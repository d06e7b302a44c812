"""Names of tests are short enough to be read in a report."""

import re
from pathlib import Path

MAX_LENGTH = 60
TESTS = Path(__file__).resolve().parents[1]


def test_test_names_fit_the_limit() -> None:
    files = [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")]
    names = [name for text in files for name in re.findall(r"^ *def (test_\w+)", text, re.M)]
    assert [name for name in names if len(name) > MAX_LENGTH] == []
    assert "test_test_names_fit_the_limit" in names
