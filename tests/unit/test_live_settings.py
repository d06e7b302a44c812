"""Settings that a running part follows: what changes at once, and what a half-written file can't loosen."""

import time

import pytest
from clocks import Seconds

from memo.config.live import SETTLE_S, Derived, LiveSettings, strictest
from memo.core.errors import UsageError
from memo.core.paths import Home
from memo.core.settings import PrivacySettings, Settings, tables_at_once


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def live(home: Home, clock: Seconds) -> LiveSettings:
    return LiveSettings(Settings.load(), home, clock)


def test_settings_stay_the_same_object_without_a_change(live: LiveSettings, home: Home) -> None:
    before = live.now()
    home.config.write_text("# nothing\n")
    assert live.now() is before


def test_only_tables_at_once_change(live: LiveSettings, home: Home) -> None:
    home.config.write_text("language = 'zh'\n[window]\nsize = 9\n[dispatch]\non = ['notify']\n")
    now = live.now()
    assert now.dispatch.on == ["notify"]
    assert (now.language, now.window.size) == ("en", 5)
    assert {"privacy", "dispatch", "pick"} <= set(tables_at_once())


def test_an_exclusion_is_in_force_at_once(live: LiveSettings, home: Home) -> None:
    for apps in (["a"], ["a", "b"]):
        home.config.write_text(f"[privacy]\napps = {apps}\n")
        assert live.now().privacy.apps == apps


def test_an_exclusion_ends_once_the_file_has_settled(live: LiveSettings, home: Home, clock: Seconds) -> None:
    home.config.write_text("[privacy]\napps = ['a']\n")
    live.now()
    home.config.write_text("")  # an editor begins to write
    assert live.now().privacy.apps == ["a"]
    home.config.write_text("[privacy]\nsites = ['b.example']\n")
    assert (live.now().privacy.apps, live.now().privacy.sites) == (["a"], ["b.example"])
    clock.now += SETTLE_S
    assert (live.now().privacy.apps, live.now().privacy.sites) == ([], ["b.example"])


def test_an_exclusion_that_ended_long_ago_has_settled(
    live: LiveSettings, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.config.write_text("[privacy]\napps = ['a']\n")
    live.now()
    home.config.write_text("")
    later = time.time() + SETTLE_S
    monkeypatch.setattr("memo.config.live.time.time", lambda: later)
    assert live.now().privacy.apps == []


def test_a_missing_file_loosens_nothing(live: LiveSettings, home: Home, clock: Seconds) -> None:
    home.config.write_text("[privacy]\napps = ['a']\n")
    live.now()
    home.config.unlink()
    clock.now += SETTLE_S
    assert live.now().privacy.apps == ["a"]


def test_a_wrong_file_is_an_error_until_it_is_right(live: LiveSettings, home: Home) -> None:
    home.config.write_text("[privacy]\napps = ['*']\n")
    for _ in range(2):
        with pytest.raises(UsageError, match="Setting privacy.apps.0 is wrong"):
            live.now()
    home.config.write_text("[privacy]\napps = ['a']\n")
    assert live.now().privacy.apps == ["a"]


def test_derived_is_made_again_only_after_a_change(home: Home) -> None:
    made = Derived(Settings.load(), home, lambda settings: [settings.privacy.apps])
    first = made.now()
    assert made.now() is first
    home.config.write_text("[privacy]\napps = ['a']\n")
    assert (made.latest, made.now(), made.latest) == ([[]], [["a"]], [["a"]])


STRICT = {
    "apps": ["a"],
    "sites": ["b.example"],
    "folders": ["/c"],
    "titles": ["d"],
    "builtin": True,
    "chromium_titles": False,
    "titles_kept": "hashed",
}


@pytest.mark.parametrize("name", PrivacySettings.model_fields)
def test_strictest_takes_the_stricter_of_each_rule(name: str) -> None:
    loose = PrivacySettings(builtin=False, chromium_titles=True)
    strict = loose.model_copy(update={name: STRICT[name]})
    assert strictest(loose, strict) == strictest(strict, loose) == strict
    assert strict != loose
