"""The pictures of the documents, of a synthetic person: `make pictures` puts them into docs/images."""

import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from conftest import ROOT
from pages import choose_language, enter, open_browser, sample_stack
from rich.console import Console
from rich.text import Text
from stack import MEMO, Stack
from waiting import until

DAY = "2026-11-13"
VIEWS = {"page-now.png": "/", "page-day.png": f"/day?day={DAY}"}
TERMINAL = "live.svg"
COLUMNS, LINES = 130, 22
SHOWN = 200  # newest predictions, which make more lines than the picture has


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with sample_stack() as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the pictures go: the folder that MEMO_PICTURES names, else one that is looked at by nobody."""
    return Path(os.environ.get("MEMO_PICTURES") or tmp_path)


def test_the_documents_show_these_pictures() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    shown = {name for text in texts for name in re.findall(r"\]\((?:docs/)?images/([\w-]+\.\w+)\)", text)}
    assert {*VIEWS, TERMINAL} <= shown
    assert all((ROOT / "docs" / "images" / name).is_file() for name in shown)


def test_the_page_is_pictured(stack: Stack, folder: Path) -> None:
    with open_browser() as browser, enter(browser, stack) as entered:
        page = entered.new_page()
        choose_language(page, "en")
        for name, address in VIEWS.items():
            page.goto(address)
            page.screenshot(path=folder / name, full_page=True)
            assert page.locator(".problems").count() == 0
            assert "Code.exe" in page.locator("main").inner_text()


def test_the_terminal_is_pictured(stack: Stack, folder: Path) -> None:
    newest = stack.one("SELECT max(id) FROM predictions")
    said = watch(stack, newest - SHOWN)
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print(Text.from_ansi("\n".join(said.splitlines()[-LINES:])))
    console.save_svg(str(folder / TERMINAL), title="memo watch", unique_id="memo")
    assert "✓" in (folder / TERMINAL).read_text(encoding="utf-8")


def watch(stack: Stack, after: int) -> str:
    """Return what `memo watch` shows on a terminal of the predictions after one."""
    screen, end = pty.openpty()
    environment = stack.environment | {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    process = subprocess.Popen([MEMO, "watch", "--after", str(after)], env=environment, stdout=end, stderr=end)
    os.close(end)
    os.set_blocking(screen, False)
    said = [""]

    def has_shown_all() -> bool:
        try:
            said[0] += os.read(screen, 100_000).decode(errors="replace")
        except BlockingIOError:
            return said[0].count("\n") > LINES
        return False

    until("enough lines, and no more", has_shown_all)
    process.send_signal(signal.SIGINT)
    process.wait()
    os.close(screen)
    return said[0]
