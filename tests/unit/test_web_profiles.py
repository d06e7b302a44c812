"""Browser profiles are found wherever packages, flatpaks and snaps put them; other folders are skipped."""

import os
from pathlib import Path

import pytest

from collector.sources.web.web_profiles import find_profiles

FOUND = {
    ".config/chromium/Default": "chromium",
    ".config/chromium/Profile 1": "chromium",
    ".config/google-chrome/Default": "google-chrome",
    ".config/google-chrome-beta/Profile 12": "google-chrome-beta",
    ".config/microsoft-edge/Default": "microsoft-edge",
    ".config/BraveSoftware/Brave-Browser/Default": "brave-browser",
    ".config/vivaldi/Default": "vivaldi",
    ".var/app/com.google.Chrome/config/google-chrome/Default": "google-chrome",
    ".var/app/org.chromium.Chromium/config/chromium/Default": "chromium",
    "snap/chromium/common/chromium/Default": "chromium",
    "snap/brave/current/.config/BraveSoftware/Brave-Browser/Default": "brave-browser",
    ".mozilla/firefox/abc.default-esr": "firefox",
    ".config/mozilla/firefox/abc.default": "firefox",
    ".librewolf/abc.default": "librewolf",
    ".config/librewolf/librewolf/abc.default": "librewolf",
    ".waterfox/abc.default": "waterfox",
    ".floorp/abc.default": "floorp",
    ".zen/abc.default": "zen",
    ".var/app/org.mozilla.firefox/.mozilla/firefox/abc.default": "firefox",
    ".var/app/org.mozilla.firefox/config/mozilla/firefox/abc.new": "firefox",
    ".var/app/one.ablaze.floorp/.floorp/abc.default": "floorp",
    "snap/firefox/common/.mozilla/firefox/abc.default": "firefox",
}
NOT_FOUND = (
    ".config/chromium/Guest Profile",
    ".config/chromium/System Profile",
    ".config/chromium/Default/Cache",
    ".config/other/Default",
    ".mozilla/other/abc.default",
)
FIREFOXES = ("firefox", "librewolf", "waterfox", "floorp", "zen")


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def make(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()


def test_find_profiles_finds_all_browsers(person: Path) -> None:
    for place, browser in FOUND.items():
        make(person / place, "places.sqlite" if browser in FIREFOXES else "History")
    for place in NOT_FOUND:
        make(person / place, "History")
        make(person / place, "places.sqlite")
    assert {str(one.folder.relative_to(person)): one.windows[-1] for one in find_profiles()} == FOUND


def test_find_profiles_names_bundle_by_its_desktop_entry(person: Path) -> None:
    make(person / ".var/app/com.google.Chrome/config/google-chrome/Default", "History")
    make(person / "snap/firefox/common/.mozilla/firefox/a", "places.sqlite")
    assert {one.windows[0] for one in find_profiles()} == {"com.google.Chrome", "firefox_firefox"}


def test_find_profiles_follows_xdg_config_home(person: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(person / "else"))
    make(person / "else/vivaldi/Default", "History")
    assert [one.name for one in find_profiles()] == ["vivaldi Default"]


def test_find_profiles_follows_profiles_ini(person: Path) -> None:
    make(person / "mine", "places.sqlite")
    make(person / ".mozilla/firefox/deep/inner", "places.sqlite")
    ini = person / ".mozilla/firefox/profiles.ini"
    ini.write_text(
        f"[Profile0]\nIsRelative=0\nPath={person}/mine\n[Profile1]\nIsRelative=1\nPath=deep/inner\n[General]\nA=%1\n"
    )
    assert {one.folder for one in find_profiles()} == {person / "mine", person / ".mozilla/firefox/deep/inner"}


@pytest.mark.parametrize("content", [b"\xff\xfe", b"Path=x", b"[a]\nPath", b"[a\n" * 100, b"[a]\nPath=\0"])
def test_find_profiles_ignores_broken_profiles_ini(content: bytes, person: Path) -> None:
    make(person / ".mozilla/firefox/a", "places.sqlite")
    (person / ".mozilla/firefox/profiles.ini").write_bytes(content)
    assert [one.folder.name for one in find_profiles()] == ["a"]


def test_find_profiles_survives_pipes_links_and_loops(person: Path) -> None:
    make(person / ".mozilla/firefox/a", "places.sqlite")
    os.mkfifo(person / ".mozilla/firefox/profiles.ini")
    (person / ".mozilla/firefox/same").symlink_to("a")
    (person / ".librewolf").symlink_to(".librewolf")
    (person / ".waterfox").symlink_to("nowhere")
    (person / ".config").mkdir()
    (person / ".config/chromium").symlink_to(person)
    (person / ".zen").write_text("a file")
    assert [one.folder.name for one in find_profiles()] == ["a"]


def test_recreated_folder_is_another_profile(person: Path) -> None:
    folder = person / ".mozilla/firefox/a"
    make(folder, "places.sqlite")
    before = find_profiles()
    folder.rename(folder.with_name("old"))
    make(folder, "places.sqlite")
    assert [one.key for one in before] == [str(folder)]
    assert before[0] not in find_profiles()
