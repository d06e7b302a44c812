"""What commands show on terminals of another encoding."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MEMO = Path(sys.executable).parent / "memo"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_what_the_terminal_does_not_know_is_replaced(encoding: str, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MEMO_")}
    environment |= {"MEMO_HOME": str(tmp_path), "PYTHONIOENCODING": encoding}
    file = tmp_path / "日.txt"
    file.write_text("no event\n")
    done = subprocess.run([MEMO, "import", file], env=environment, capture_output=True, check=False)
    assert b"Traceback" not in done.stderr and b"unexpectedly" not in done.stderr
    assert ("日.txt" if encoding == "utf-8" else "?.txt").encode(encoding) in done.stderr
