"""The page in Chromium, on the real stack with a synthetic person: what it shows live, and what each button does."""

import re
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from pages import WIDE, choose_language, enter, open_browser, sample_stack
from playwright.sync_api import BrowserContext, Locator, Page, expect
from stack import Stack
from waiting import WAIT_S, until

from memo.clock import pauses
from memo.clock.reading import Reading
from memo.core.events import Event, Operation
from memo.core.grammar import write
from ui.page import VIEWS

LAPTOP = "ada@laptop"  # another scope
NARROW = {"width": 360, "height": 740}
SERIOUS = ("serious", "critical")
LANGUAGES = ("en", "zh")
CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary"
UNREACHED = f"""() => [...document.querySelectorAll({CONTROLS!r})]
    .filter((one) => one.tabIndex < 0 || one.disabled).map((one) => one.outerHTML)"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The stack of a synthetic person, in which one event of another machine is stored, too."""
    with sample_stack() as made:
        other = made.home.root / "laptop.txt"
        other.write_text(write(Event(Reading.now().at, Operation.PROCESS_START, "mail"), "en"), encoding="utf-8")
        made.ok("import", str(other), "--scope", LAPTOP)
        yield made


@pytest.fixture(scope="module")
def entered(stack: Stack) -> Iterator[BrowserContext]:
    with open_browser() as browser, enter(browser, stack) as context:
        yield context


@pytest.fixture
def page(entered: BrowserContext) -> Iterator[Page]:
    """A tab; no script and no policy may complain in it."""
    complaints: list[str] = []
    opened = entered.new_page()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield opened
    opened.close()
    assert complaints == []


def visit(stack: Stack, site: str) -> None:
    """Let the person visit a site now."""
    stack.append([write(Event(Reading.now().at, Operation.WEB_VISIT, site), "en")])


def until_visited(stack: Stack, site: str) -> None:
    visit(stack, site)
    until(f"a visit of {site}", lambda: visits(stack, site))
    stack.until_predicted()


def visits(stack: Stack, site: str) -> int:
    found: int = stack.one(f"SELECT count(*) FROM events WHERE target = '{site}'")
    return found


def test_another_scope_is_chosen(page: Page, entered: BrowserContext) -> None:
    choose_language(page, "en")
    page.goto("/history")
    page.get_by_label("Person and machine").select_option(LAPTOP)
    page.locator("form[action='/scope'] button").click()
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    entered.clear_cookies(name="memo_scope")


def test_the_model_is_shown_beside_a_rule(page: Page) -> None:
    choose_language(page, "en")
    page.goto("/model")
    expect(page.get_by_text("The simplest rule, the most recent place first, would have had")).to_be_visible()
    came = str(page.locator(".reliability").get_attribute("aria-label"))
    assert any(share not in ("0%", "100%") for share in re.findall(r"(\d+%) came", came)), came


def test_what_is_done_appears_without_a_reload(page: Page, stack: Stack) -> None:
    page.goto("/")
    for site in ("one.example", "two.example"):
        visit(stack, site)
        expect(page.locator(".here")).to_contain_text(site)


@pytest.mark.parametrize(("name", "answer"), [("Yes", "yes"), ("Not this", "no"), ("Never", "never")])
def test_an_answer_is_a_row(page: Page, stack: Stack, name: str, answer: str) -> None:
    newest = "SELECT coalesce(max(id), 0) FROM feedback"
    choose_language(page, "en")
    before = stack.one(newest)
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).first.press("Enter")
    assert stack.sql(f"SELECT answer FROM feedback WHERE id > {before}") == [(answer,)]
    expect(page.locator("[aria-pressed=true]").first).to_have_text(name)
    if answer == "never":
        page.goto("/effects")
        with page.expect_navigation():
            page.get_by_role("button", name="Suggest it again").first.click()
        assert stack.one(f"SELECT answer FROM feedback WHERE id > {before} ORDER BY id DESC") == "yes"


def test_a_pause_stops_events_and_ends(page: Page, stack: Stack) -> None:
    choose_language(page, "en")
    page.goto("/privacy")
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Recording is paused.")
    visit(stack, "hidden.example")
    until("the line is read", lambda: is_read(stack))
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    resumed = Reading.now().at
    until("the next second, as a line has no smaller unit", lambda: Reading.now().at.replace(microsecond=0) > resumed)
    until_visited(stack, "shown.example")
    assert visits(stack, "hidden.example") == 0


def is_read(stack: Stack) -> bool:
    """Return whether the collector has read its file of the inbox to the end."""
    size = (stack.home.inbox / "events.txt").stat().st_size
    return str(size) in str(stack.sql("SELECT cursor FROM cursors WHERE source = 'inbox'"))


def test_forgetting_removes_the_rows(page: Page, stack: Stack) -> None:
    until_visited(stack, "secret.example")
    until_visited(stack, "kept.example")
    choose_language(page, "en")
    page.goto("/privacy")
    form = page.locator("form[action='/forget/preview']")
    form.get_by_label("Site").fill("secret.example")
    form.get_by_role("button").click()
    expect(page.locator("h1")).to_have_text("Forget this for good?")
    assert visits(stack, "secret.example") == 1
    page.get_by_role("button", name="Forget").click()
    expect(page.locator("h1")).to_have_text("Forgotten")
    assert visits(stack, "secret.example") == 0 and visits(stack, "kept.example") == 1


def test_what_is_excluded_on_the_page_is_not_stored(page: Page, stack: Stack) -> None:
    page.goto("/privacy")
    page.locator("textarea[name=sites]").fill("never.example")
    with page.expect_navigation():
        page.locator("form[action='/exclusions'] button").click()
    assert '"never.example"' in stack.ok("config", "get", "privacy.sites")
    visit(stack, "never.example")
    until_visited(stack, "after.example")
    assert visits(stack, "never.example") == 0


def test_a_switch_changes_the_settings(page: Page, stack: Stack) -> None:
    page.goto("/effects")
    for position in ("off", "on"):
        button = page.locator(f"form[aria-label=notify] button[value={position}]")
        with page.expect_navigation():
            button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        assert ('"notify"' in stack.ok("config", "get", "dispatch.on")) == (position == "on")


def test_history_is_filtered_and_saved(page: Page, stack: Stack) -> None:
    until_visited(stack, "searched.example")
    until_visited(stack, "later.example")
    choose_language(page, "en")
    page.goto("/history")
    page.get_by_label("Text").fill("SEARCHED")
    page.get_by_role("button", name="Show").last.click()
    expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Save all of these as CSV").click()
    assert Path(download.value.path()).read_text().count("searched.example") == 1
    page.locator("tbody a").click()
    expect(page.locator("h1")).to_contain_text("Why")


@pytest.mark.parametrize(
    ("headers", "method"),
    [
        ({"cookie": ""}, "GET"),
        ({"host": "evil.example"}, "GET"),
        ({"origin": "http://evil.example"}, "POST"),
        ({}, "POST"),
    ],
    ids=["no-cookie", "foreign-host", "foreign-origin", "no-origin"],
)
def test_a_foreign_request_is_refused(
    page: Page, entered: BrowserContext, stack: Stack, headers: dict[str, str], method: str
) -> None:
    page.goto("/")
    address = urlsplit(page.url)
    cookie = "; ".join(f"{one['name']}={one['value']}" for one in entered.cookies())
    connection = HTTPConnection(address.hostname or "", address.port, timeout=WAIT_S)
    connection.request(method, "/pause" if method == "POST" else "/", headers={"cookie": cookie} | headers)
    assert connection.getresponse().status == 403
    connection.close()
    assert pauses.current(stack.home) is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_view_is_accessible_and_fits(
    page: Page, tmp_path: Path, language: str, size: dict[str, int], scheme: str
) -> None:
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    choose_language(page, language)
    page.goto("/history")
    why = str(page.locator("tbody a").first.get_attribute("href"))
    for address in (*VIEWS, "/day?day=2026-11-13", "/day?day=2026-11-13&span=week", why):
        page.goto(address)
        page.screenshot(path=tmp_path / f"{address.strip('/').replace('/', '-') or 'now'}.png", full_page=True)
        found = Axe().run(page).response["violations"]
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS]
        assert serious == [], address
        assert page.evaluate(UNREACHED) == [], address
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], address


@pytest.mark.parametrize("view", VIEWS)
def test_the_keyboard_reaches_every_control(page: Page, view: str) -> None:
    page.goto(view)
    number = page.locator(CONTROLS).filter(visible=True).count()
    reached = set()
    for _ in range(3 * number):  # a date has three parts
        page.keyboard.press("Tab")
        reached.add(page.evaluate(f"[...document.querySelectorAll({CONTROLS!r})].indexOf(document.activeElement)"))
    assert len(reached - {-1}) >= number, view


def test_the_focus_stays_on_the_answer_to_a_place(page: Page, stack: Stack) -> None:
    page.goto("/")
    button: Locator = page.locator("form[action='/feedback'] button").first
    button.focus()
    focused = str(button.get_attribute("id"))
    visit(stack, "focus.example")
    expect(page.locator(".here")).to_contain_text("focus.example")
    is_shown = page.evaluate("(id) => document.getElementById(id) !== null", focused)
    assert page.evaluate("document.activeElement.id") == (focused if is_shown else "live")
