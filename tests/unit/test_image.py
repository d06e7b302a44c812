"""The container image is built from all that the wheel needs: `.dockerignore` leaves out none of it."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WHEEL = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
NEEDED = [
    *WHEEL["packages"],
    *WHEEL["force-include"],
    PROJECT["project"]["readme"],
    *PROJECT["project"]["license-files"],
    "pyproject.toml",
    "requirements.lock",
]


@pytest.mark.parametrize("path", NEEDED)
def test_the_image_is_built_from_all_that_the_wheel_needs(path: str) -> None:
    first, *kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert first == "*"
    assert f"!{path}" in kept
