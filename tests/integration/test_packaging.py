"""What is shipped fits together: versions, lock, entry points, containers, and what the README says."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

import cli
import memo

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.zh-CN.md")
OURS = [point for group in ("handlers", "sources", "predictors") for point in entry_points(group=f"memo.{group}")]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    loaded: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return loaded


@pytest.fixture(scope="module")
def lock() -> dict[str, str]:
    """Name -> version; a line that names a place or an option has no '==' and fails here."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): pinned for name, pinned in pairs}


def test_one_version_everywhere() -> None:
    assert version("memo-daemon") == memo.__version__
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert newest and newest[1] == memo.__version__


def test_the_lock_holds_what_the_project_needs(project: dict[str, Any], lock: dict[str, str]) -> None:
    extras = project["optional-dependencies"]
    for text in project["dependencies"] + extras["dev"] + extras["mcp"] + extras["ui"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(lock[canonicalize_name(requirement.name)]), text


def test_this_environment_is_the_locked_one(lock: dict[str, str]) -> None:
    differing = {name: version(name) for name, pinned in lock.items() if version(name).split("+")[0] != pinned}
    assert not differing, "run `make env`"


@pytest.mark.parametrize("point", OURS, ids=lambda point: point.name)
def test_entry_points_lead_somewhere(point: EntryPoint) -> None:
    assert callable(point.load())


def test_compose_file_is_valid() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("readme", READMES)
def test_readme_names_what_there_is(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    tree = re.search(r"```tree\n(.+?)```", text, re.S)
    assert tree
    named = [line.split()[0] for line in tree[1].splitlines() if line and not line.startswith(" ")]
    linked = re.findall(r"\]\(([^):#]+)\)", text)
    assert named
    assert [path for path in named + linked if not (ROOT / path).exists()] == []
    tests = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert {name for name in tests if name not in tree[1]} == set()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    kinds = set(re.findall(r"\b(faults|test(?:-[a-z]+)?)\b", re.findall("^tests/.*", tree[1], re.M)[0]))
    assert kinds == {"faults", "test", "test-containers", "test-desktop", "test-models"} <= set(targets)


def _commands(readme: str) -> list[tuple[str, ...]]:
    """The `memo` and `make` lines of the code blocks, comments apart."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    return [tuple(re.split("#|&&", line)[0].split()) for line in re.findall(r"^(?:memo|make) .+", text, re.M)]


def test_readmes_show_the_same_commands() -> None:
    english, chinese = map(_commands, READMES)
    assert english == chinese


def test_readme_shows_targets_that_there_are() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert {words[1] for words in _commands("README.md") if words[0] == "make"} <= set(targets)


@pytest.mark.parametrize("verb", sorted({words[1] for words in _commands("README.md") if words[0] == "memo"}))
def test_readme_shows_commands_and_flags_that_there_are(verb: str) -> None:
    flags = {
        word for words in _commands("README.md") if words[:2] == ("memo", verb) for word in words if word[0] == "-"
    }
    helped = CliRunner(env={"COLUMNS": "200"}).invoke(cli.make([verb]), [verb, "--help"])
    assert helped.exit_code == 0, helped.output
    assert [flag for flag in flags if flag not in helped.output] == []
