"""One name has one meaning: no class and no module is called as another one, and repository functions have verbs."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from syntax import parsed, statements

from cli import COMMANDS
from db.models import Base

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("cli", "ui", "memo", "collector", "db", "worker", "scheduler", "training", "data", "forget")
REPOSITORIES = ("db/intake", "db/prediction", "db/dispatch", "db/upkeep")
VERBS = {"find", "count", "has", "is", "add", "record", "delete", "lock", "reset", "build", "prune", "release"}
MODULES = [
    path
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
    if not path.stem.startswith("__") and path.parent.name != "versions"
]


def test_classes_have_one_meaning() -> None:
    places = ((node.name.lstrip("_"), path) for path in MODULES for node in _classes(path))
    assert _duplicates(places) == {}


def test_modules_have_one_meaning() -> None:
    """A repository is called as its table and a command's module as the command, whatever else has that name."""
    places = [(path.stem, path) for path in MODULES if not (_is_repository(path) or _is_command(path))]
    assert _duplicates(places) == {}


def test_repository_functions_begin_with_a_verb() -> None:
    wrong = [
        f"{path.parent.name}/{path.stem}.{node.name}"
        for path in MODULES
        if str(path.parent.relative_to(ROOT)) in REPOSITORIES
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef)
        if _takes_store(node) and node.name.partition("_")[0] not in VERBS | {""}
    ]
    assert wrong == []


def _duplicates(places: Iterable[tuple[str, Path]]) -> dict[str, list[str]]:
    found = defaultdict[str, list[str]](list)
    for name, path in places:
        found[name].append(str(path.relative_to(ROOT)))
    return {name: paths for name, paths in found.items() if len(paths) > 1}


def _classes(path: Path) -> Iterator[ast.ClassDef]:
    return (node for node in statements(path) if isinstance(node, ast.ClassDef))


def _is_repository(path: Path) -> bool:
    return path.is_relative_to(ROOT / "db") and path.stem in Base.metadata.tables


def _is_command(path: Path) -> bool:
    place = ".".join(path.relative_to(ROOT / "cli").with_suffix("").parts) if path.is_relative_to(ROOT / "cli") else ""
    return path.stem in COMMANDS and place in {command.partition(":")[0] for command in COMMANDS.values()}


def _takes_store(function: ast.FunctionDef) -> bool:
    """Return whether the first parameter is a session or the store; other functions of these modules are pure."""
    first = next(iter(function.args.args), None)
    return first is not None and first.arg in ("session", "store")
