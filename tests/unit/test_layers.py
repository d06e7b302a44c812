"""The arrows between rooms and between the folders inside a room, and what no module makes when it is imported."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from syntax import run_at_import, statements

ROOT = Path(__file__).resolve().parents[2]
FLOORS = (
    ("cli",),
    ("ui",),
    ("training",),
    ("collector", "worker", "scheduler"),
    ("forget",),
    ("data",),
    ("db",),
    ("memo",),
)
"""Rooms from the top floor down: a room imports rooms of lower floors only."""
INSIDE = {
    "cli": (
        "cli.stack",
        "cli.assistants cli.pick cli.predictions cli.records cli.models cli.setup",
        "cli.terminal",
    ),
    "ui": (
        "ui.__main__",
        "ui.server",
        "ui.app",
        "ui.views",
        "ui.page ui.access ui.link",
        "ui.charts ui.sentences ui.translations",
    ),
    "memo": (
        "memo.client memo.history memo.testing memo.__main__",
        "memo.protocols memo.messaging",
        "memo.stack memo.desktop memo.privacy",
        "memo.store",
        "memo.clock memo.config memo.display memo.service",
        "memo.core",
    ),
    "db": (
        "db.store_access db.rebuild",
        "db.migrate",
        "db.upkeep db.page",
        "db.dispatch",
        "db.prediction",
        "db.intake",
        "db.pace",
        "db.engine db.migrations",
        "db.models db.turns db.upsert",
    ),
    "collector": (
        "collector.__main__",
        "collector.collector",
        "collector.source_list",
        "collector.announce collector.intake collector.plugins collector.source_status",
        "collector.sources",
        "collector.focus",
        "collector.launch",
        "collector.privacy",
    ),
    "worker": (
        "worker.dispatch worker.prediction",
        "worker.handlers worker.gates",
        "worker.effects worker.predictors worker.resources",
    ),
    "training": (
        "training.__main__ training.base_model",
        "training.review",
        "training.promote training.give_way",
        "training.judgement training.drift",
        "training.evaluation",
        "training.build_version training.pull",
        "training.fitting training.apart training.notice",
        "training.limits",
    ),
}
"""Folders and modules of a room from the top floor down; those of one floor do not import each other."""
ONLY = {"training": ("worker.predictors", "worker.effects.notifications")}
"""Rooms that see of a sibling only this."""
MOST_MODULES = 12
MADE_LATE = {"create_engine", "Celery", "make_app", "open_store", "Redis", "from_url", "Connection", "from_pretrained"}
"""Engines, clients and models: never at import time."""
ROOMS = tuple(room for floor in FLOORS for room in floor)
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
}


def _imported(module: str) -> set[str]:
    """The modules of ours that a module imports, at any time and for type checkers too."""
    names = set()
    for node in statements(MODULES[module]):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "relative imports hide arrows"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name if name in MODULES else name.rpartition(".")[0] for name in names}
    return {name for name in ours if name in MODULES} - {module}


@cache
def arrows() -> dict[str, set[str]]:
    """The imports of each module, read when a test first asks: all workers import this file, and one runs it."""
    return {module: _imported(module) for module in MODULES}


def _floor(module: str, floors: tuple[tuple[str, ...], ...]) -> tuple[int, str] | None:
    """The floor of a module and the place on it; None for one that stands on no floor."""
    return next(
        (
            (number, place)
            for number, floor in enumerate(floors)
            for place in floor
            if module == place or module.startswith(f"{place}.")
        ),
        None,
    )


def _points_down(module: str, other: str, floors: tuple[tuple[str, ...], ...]) -> bool:
    start, end = _floor(module, floors), _floor(other, floors)
    return start is None or end is None or start == end or start[0] < end[0]


def test_rooms_import_only_rooms_below() -> None:
    wrong = [
        f"{module} imports {other}"
        for module, others in arrows().items()
        for other in others
        if not _points_down(module, other, FLOORS)
    ]
    assert wrong == []


@pytest.mark.parametrize("room", INSIDE)
def test_folders_of_a_room_import_only_folders_below(room: str) -> None:
    floors = tuple(tuple(floor.split()) for floor in INSIDE[room])
    inside = [module for module in MODULES if module.startswith(f"{room}.")]
    assert [module for module in inside if _floor(module, floors) is None] == [], "stand on no floor"
    wrong = [
        f"{module} imports {other}"
        for module in inside
        for other in arrows()[module]
        if not _points_down(module, other, floors)
    ]
    assert wrong == []


def test_only_db_speaks_sql() -> None:
    """Other rooms take a session as a value: all that they import of SQLAlchemy is the type `Session`."""
    wrong = [
        f"{module}:{node.lineno}"
        for module in MODULES
        if module.split(".")[0] != "db"
        for node in statements(MODULES[module])
        if isinstance(node, ast.Import | ast.ImportFrom) and ast.unparse(node) != "from sqlalchemy.orm import Session"
        if {name.split(".")[0] for name in _names(node)} & {"sqlalchemy", "alembic"}
    ]
    assert wrong == []


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]


def test_folders_import_in_no_circle() -> None:
    graph = {name: {other for other in others if not _is_around(other, name)} for name, others in arrows().items()}
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def _is_around(package: str, module: str) -> bool:
    """Return whether a package's own `__init__` holds the module: a child may import its parent."""
    return module.startswith(f"{package}.")


def test_no_folder_holds_too_many_modules() -> None:
    folders: dict[Path, int] = {}
    for module, path in MODULES.items():
        if path.name != "__init__.py" and "versions" not in module:
            folders[path.parent] = folders.get(path.parent, 0) + 1
    assert {str(folder): count for folder, count in folders.items() if count > MOST_MODULES} == {}


@pytest.mark.parametrize("room", ONLY)
def test_a_room_sees_of_a_sibling_only_what_is_named(room: str) -> None:
    others = {other for module in MODULES if module.split(".")[0] == room for other in arrows()[module]}
    strangers = {other for other in others if other.split(".")[0] in ("collector", "worker", "scheduler", "cli")}
    assert {name for name in strangers if not name.startswith(ONLY[room])} == set()


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_made_at_import_time(module: str) -> None:
    for node in run_at_import(MODULES[module]):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert name not in MADE_LATE, f"{module}:{node.lineno} makes {name} when it is imported"
