"""The arrows between rooms, and what importing a part may not load or make."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("memo", "collector", "db", "worker", "scheduler", "training", "data")
MAY_IMPORT = {
    "memo": (),
    "db": ("memo",),
    "data": ("memo",),
    "worker": ("db", "data", "memo"),
    "collector": ("db", "data", "memo"),
    "scheduler": ("db", "data", "memo"),
    "training": ("db", "data", "memo", "worker.predictors"),
}
MAY_IMPORT_LATE = {"memo.cli": ROOMS, "memo.history": ("db",), "memo.client": ("db",), "data.replay": ("db",)}
"""The doors to the rooms: inside functions only."""
MADE_LATE = {"create_engine", "Celery", "make_app", "open_store", "Redis", "from_url", "Connection", "from_pretrained"}
"""Engines, clients and models: never at import time."""
DAEMONS = ("memo.cli", "memo.celery_part", "collector", "worker.tasks", "worker.dispatch", "scheduler.tick")

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
}


def _walk(node: ast.AST, late: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Each node below, and whether it is reached only when a function runs; what is for type checkers is left out."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    for child in ast.iter_child_nodes(node):
        yield child, late
        yield from _walk(child, late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


def _nodes(module: str) -> list[tuple[ast.AST, bool]]:
    return list(_walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))))


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0 and node.module, "relative imports hide arrows"
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def _below(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_arrows(module: str) -> None:
    room = module.split(".")[0]
    late_too = [name for door, names in MAY_IMPORT_LATE.items() if _below(module, door) for name in names]
    for node, late in _nodes(module):
        allowed = (room, *MAY_IMPORT[room], *(late_too if late else ()))
        for name in _imported(node):
            if name.split(".")[0] in ROOMS:
                assert any(_below(name, package) for package in allowed), f"{module} imports {name}"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_made_at_import_time(module: str) -> None:
    for node, late in _nodes(module):
        if isinstance(node, ast.Call) and not late:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert name not in MADE_LATE, f"{module}:{node.lineno} makes {name} when it is imported"


@pytest.mark.parametrize("module", DAEMONS)
def test_a_part_starts_without_heavy_libraries(module: str, tmp_path: Path) -> None:
    heavy = {"pandas", "torch", "transformers"} | ({"rich"} if module != "memo.cli" else set())
    code = f"import sys, {module}; print(*{heavy} & sys.modules.keys())"
    environment = os.environ | {"MEMO_HOME": str(tmp_path)}
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == ""
    assert not list(tmp_path.iterdir()), "importing touches no file"
