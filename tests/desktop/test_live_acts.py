"""A person who switches quickly between windows: each switch is judged by what stood on the screen before it."""

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from conftest import needs_program
from stack import SCOPE, Stack, desktop_stack
from waiting import until
from xserver import Desktop, new_desktop

SWITCHES = 100
LEAST_JUDGED = 0.95
PAUSE_S = (0.25, 0.75)  # of the person between two switches
CLOCK, BROWSER = "clock", "chromium"
APPS = ("letters", "board", CLOCK, BROWSER)
RESTS = {20: CLOCK, 40: BROWSER, 60: CLOCK, 80: BROWSER}
"""Switches after which the person stays long enough to see other titles."""
NEW_TITLES = r"""
for first in a b c d e f g h i j; do for second in k l m n o p q r s t; do
    printf '\033]0;%s\007' "$0 $first$second"; sleep 2
done; done"""
TITLES = "SELECT id, app FROM events WHERE operation = 'window_focus' ORDER BY seq"
JUDGED = "SELECT person_event_id FROM predictions WHERE person_event_id IS NOT NULL"
UNSEEN = """SELECT count(*) FROM predictions JOIN events ON events.id = person_event_id
    WHERE made_at >= stored_at OR last_event_id >= events.id"""
"""Predictions that are judged by an act and were not there before it."""
REDUCED = "SELECT coalesce(sum(events), 0) FROM redactions WHERE rule = 'chromium_titles'"


@pytest.fixture
def desktop() -> Iterator[Desktop]:
    with new_desktop() as made:
        yield made


@pytest.fixture
def stack(desktop: Desktop, tmp_path: Path) -> Iterator[Stack]:
    """The stack on that desktop, on which the apps are installed."""
    with desktop_stack(desktop.display, tmp_path, ((app, app, app) for app in APPS)) as made:
        yield made


def open_window(desktop: Desktop, stack: Stack, app: str) -> str:
    """Open an xterm under the name of an app, wait until it is seen, and return its number.

    The clock and the browser give themselves new titles.
    """
    program = ["sh", "-c", NEW_TITLES, app] if app in (CLOCK, BROWSER) else ["sleep", "1000"]
    desktop.start(needs_program("xterm"), "-class", app, "-T", app, "-e", *program)
    number = desktop.window(f"{app}.*")
    until(app, lambda: app in {seen for _, seen in stack.sql(TITLES)})
    return number


def rest(stack: Stack, app: str) -> None:
    """Stay at a window until it has had another title: the clock's is stored, the browser's is left out by a rule."""
    query = REDUCED if app == BROWSER else f"SELECT count(*) FROM events WHERE app = '{app}'"
    before = stack.one(query)
    until(f"a title of {app}", lambda: stack.one(query) > before + 1)


def switches(stack: Stack) -> list[int]:
    """The events at which another app than the one before came to the front."""
    focuses = stack.sql(TITLES)
    return [now for (_, before), (now, app) in zip(focuses, focuses[1:], strict=False) if app != before]


def test_nearly_all_switches_of_a_quick_person_are_judged(desktop: Desktop, stack: Stack) -> None:
    windows = {app: open_window(desktop, stack, app) for app in APPS}
    stack.until_predicted()
    begun, choose, app = len(switches(stack)), Random(1), APPS[-1]
    for n in range(SWITCHES):
        app = RESTS.get(n) or choose.choice([other for other in APPS if other not in (app, RESTS.get(n + 1))])
        desktop.focus(windows[app])
        time.sleep(choose.uniform(*PAUSE_S))
        if n in RESTS:
            rest(stack, app)
    until("all switches", lambda: len(switches(stack)) == begun + SWITCHES)
    stack.until_predicted()
    judged, done = {number for (number,) in stack.sql(JUDGED)}, switches(stack)
    assert len(judged & set(done)) >= LEAST_JUDGED * len(done)
    assert judged <= set(done), "usage, titles and what a rule made equal are no acts"
    assert stack.one(UNSEEN) == 0
    told = [app for _, app in stack.sql(TITLES)]
    repeated = {app for before, app in zip(told, told[1:], strict=False) if app == before}
    assert repeated == {CLOCK}
    assert stack.one("SELECT count(*) FROM events WHERE operation = 'app_usage'")
    shown = stack.status()["scopes"][SCOPE]
    assert shown["acts"] == len(judged)
    late = f"{shown['late']} of {shown['acts'] + shown['late']} predictions came too late"
    assert (late in stack.ok("status")) == (shown["late"] > 0)
