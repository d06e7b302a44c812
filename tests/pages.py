"""For tests of the page in Chromium: the real stack of a synthetic person, and a browser that came by the link."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from conftest import needs_program
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from stack import SCOPE, Stack, new_stack
from waiting import WAIT_S

from data.synthetic import people
from memo.core.grammar import write

EVENTS = 1_200  # enough acts to compare the model with a rule
WIDE = {"width": 1280, "height": 900}


@contextmanager
def sample_stack() -> Iterator[Stack]:
    """The stack after the sample day and those before it, with a prediction after each event."""
    before, day = people.sample()
    with new_stack(MEMO_PREDICT__EVERY=SCOPE) as made:
        made.run()
        made.append([write(event, "en") for event in [*before, *day][-EVENTS:]])
        made.until_stored(EVENTS)
        made.until_predicted()
        yield made


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium, which is Debian's."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=needs_program("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextmanager
def enter(browser: Browser, stack: Stack) -> Iterator[BrowserContext]:
    """A browser that came by the link."""
    link = stack.ok("ui", "--print").strip()
    parts = urlsplit(link)
    context = browser.new_context(base_url=f"{parts.scheme}://{parts.netloc}", viewport=WIDE)  # type: ignore[arg-type]
    context.set_default_timeout(WAIT_S * 1000)
    page = context.new_page()
    page.goto(link)
    page.wait_for_url("**/")
    page.close()
    yield context
    context.close()


def choose_language(page: Page, language: str) -> None:
    """Have the page in a language."""
    page.goto("/")
    button = page.locator(f"button[name=language][value={language}]")
    if button.count():
        button.click()
        page.wait_for_load_state()
