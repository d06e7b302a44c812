"""What the first import of a part loads, in an interpreter of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAEMONS = (
    "cli",
    "memo.stack.celery_main",
    "collector.collector",
    "worker.prediction.predict_task",
    "worker.dispatch.dispatcher",
    "scheduler.tick",
)
LIGHT = ("memo.stack.broker", "memo.stack.supervisor", "cli.stack.down")
"""They start before the parts, or only send a signal: nothing that takes long to import."""


@pytest.mark.parametrize("module", (*DAEMONS, *LIGHT))
def test_a_part_starts_without_heavy_libraries(module: str, tmp_path: Path) -> None:
    heavy = {"pandas", "torch", "transformers"} | ({"rich"} if module not in ("cli", "cli.stack.down") else set())
    heavy |= {"pydantic", "sqlalchemy", "celery"} if module in LIGHT else set()
    code = f"import sys, {module}; print(*{heavy} & sys.modules.keys())"
    environment = os.environ | {"MEMO_HOME": str(tmp_path)}
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == ""
    assert not list(tmp_path.iterdir()), "importing touches no file"


def test_a_command_ends_without_a_walk_over_its_memory(tmp_path: Path) -> None:
    shown = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0))"
    code = f"{shown}; import sys; sys.argv = ['memo', 'down']; from memo.__main__ import main; main()"
    environment = os.environ | {"MEMO_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["MEMO is not running.", "True"]
