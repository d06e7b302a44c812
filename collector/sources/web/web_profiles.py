"""Where browsers keep their histories: profiles of Chromium's and Firefox's kind, of packages, flatpaks and snaps."""

import os
from collections.abc import Iterator
from configparser import ConfigParser, Error
from contextlib import suppress
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from platformdirs import user_config_path

from collector.sources.web.web_history import CHROMIUM, FIREFOX, Kind
from memo.core.grammar import clean

CHROMIUMS = {
    "chromium": ("chromium-browser", "chromium"),
    "google-chrome": ("google-chrome",),
    "google-chrome-beta": ("google-chrome-beta",),
    "google-chrome-unstable": ("google-chrome-unstable",),
    "microsoft-edge": ("microsoft-edge",),
    "microsoft-edge-beta": ("microsoft-edge-beta",),
    "microsoft-edge-dev": ("microsoft-edge-dev",),
    "BraveSoftware/Brave-Browser": ("brave-browser",),
    "BraveSoftware/Brave-Browser-Beta": ("brave-browser-beta",),
    "BraveSoftware/Brave-Browser-Nightly": ("brave-browser-nightly",),
    "vivaldi": ("vivaldi-stable", "vivaldi"),
    "vivaldi-snapshot": ("vivaldi-snapshot",),
}
"""Folder below one of configurations -> what the browser's windows are called."""
FIREFOXES = {
    "mozilla/firefox": ("firefox-esr", "firefox"),
    "librewolf": ("librewolf",),
    "librewolf/librewolf": ("librewolf",),
    "waterfox": ("waterfox",),
    "floorp": ("floorp",),
    "zen": ("zen",),
}
"""The same; also below a home, where the name begins with a dot."""
CONFIGURATIONS = (".config", ".var/app/*/config", "snap/*/common", "snap/*/current/.config")
HOMES = (".", ".var/app/*", "snap/*/common")


@dataclass(frozen=True, slots=True)
class Profile:
    """One person's part of a browser."""

    kind: Kind
    folder: Path
    windows: tuple[str, ...]
    """What the browser's windows are called."""
    inode: tuple[int, int]
    """Of the folder: one that was made anew is another one."""

    @property
    def database(self) -> Path:
        """Its history."""
        return self.folder / self.kind.database

    @property
    def key(self) -> str:
        """Of its cursor."""
        return clean(str(self.folder))

    @property
    def name(self) -> str:
        """As it is shown."""
        return clean(f"{self.windows[-1]} {self.folder.name}")


def profiles() -> list[Profile]:
    """All profiles of this user that have a history; each once, whatever links lead to it."""
    found: dict[str, Profile] = {}
    for kind, folder, windows in (*_chromiums(), *_firefoxes()):
        with suppress(OSError, ValueError):
            real = os.path.realpath(folder)
            os.lstat(f"{real}/{kind.database}")
            inode = os.stat(real)
            called = (*_of_bundle(folder), *windows)
            found.setdefault(real, Profile(kind, Path(real), called, (inode.st_dev, inode.st_ino)))
    return list(found.values())


def _chromiums() -> Iterator[tuple[Kind, Path, tuple[str, ...]]]:
    for root, windows in _below(_configurations(), CHROMIUMS):
        for folder in (root / "Default", *_folders(root, "Profile *")):
            yield CHROMIUM, folder, windows


def _firefoxes() -> Iterator[tuple[Kind, Path, tuple[str, ...]]]:
    homes = [folder for pattern in HOMES for folder in _folders(Path.home(), pattern)]
    dotted = {f".{name}": windows for name, windows in FIREFOXES.items()}
    for root, windows in (*_below(_configurations(), FIREFOXES), *_below(homes, dotted)):
        for folder in (*_folders(root, "*"), *_named(root)):
            yield FIREFOX, folder, windows


def _configurations() -> list[Path]:
    return [user_config_path(), *(folder for pattern in CONFIGURATIONS for folder in _folders(Path.home(), pattern))]


def _below(roots: list[Path], names: dict[str, tuple[str, ...]]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    return ((root / name, windows) for root in roots for name, windows in names.items())


def _folders(root: Path, pattern: str) -> list[Path]:
    return [root / name for name in sorted(glob(pattern, root_dir=root))]


def _named(root: Path) -> Iterator[Path]:
    """The profiles that profiles.ini names; they may stand anywhere."""
    file, read = root / "profiles.ini", ConfigParser(interpolation=None, strict=False)
    with suppress(OSError, UnicodeDecodeError, Error):
        if file.is_file():
            read.read_string(file.read_text("utf-8"))
    for section in read.sections():
        if path := read[section].get("Path", ""):
            yield root / path  # a whole path stands for itself


def _of_bundle(folder: Path) -> tuple[str, ...]:
    """The name of a flatpak's or a snap's desktop entry."""
    parts = folder.relative_to(Path.home()).parts if folder.is_relative_to(Path.home()) else ()
    if parts[:2] == (".var", "app"):
        return (parts[2],)
    return (f"{parts[1]}_{parts[1]}",) if parts[:1] == ("snap",) else ()
