"""The pages of docs/reference are what the code says."""

from pathlib import Path
from runpy import run_path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    made: dict[str, str] = run_path(str(FOLDER / "make.py"))["pages"]()
    return made


def test_reference_has_a_page_for_each_kind(pages: dict[str, str]) -> None:
    assert set(pages) == {path.name for path in FOLDER.glob("*.md")}


@pytest.mark.parametrize("page", sorted(path.name for path in FOLDER.glob("*.md")))
def test_reference_page_is_what_the_code_says(page: str, pages: dict[str, str]) -> None:
    assert (FOLDER / page).read_text(encoding="utf-8") == pages[page], "run `make docs`"
