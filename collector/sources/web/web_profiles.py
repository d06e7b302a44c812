"""Browser profiles of the Chromium and Firefox families, installed as packages, flatpaks or snaps."""

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

# folder below a configuration folder -> names of the browser's windows
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
# also below a home folder, with a leading dot
FIREFOXES = {
    "mozilla/firefox": ("firefox-esr", "firefox"),
    "librewolf": ("librewolf",),
    "librewolf/librewolf": ("librewolf",),
    "waterfox": ("waterfox",),
    "floorp": ("floorp",),
    "zen": ("zen",),
}
CONFIGURATIONS = (".config", ".var/app/*/config", "snap/*/common", "snap/*/current/.config")
HOMES = (".", ".var/app/*", "snap/*/common")


@dataclass(frozen=True, slots=True)
class Profile:
    """A browser profile."""

    kind: Kind
    folder: Path
    windows: tuple[str, ...]  # names of the browser's windows
    inode: tuple[int, int]  # of the folder: a folder that was created again is another profile

    @property
    def database(self) -> Path:
        """The history's file."""
        return self.folder / self.kind.database

    @property
    def key(self) -> str:
        """The key of its cursor."""
        return clean(str(self.folder))

    @property
    def name(self) -> str:
        """The name to display."""
        return clean(f"{self.windows[-1]} {self.folder.name}")


def find_profiles() -> list[Profile]:
    """Return all profiles of this user that have a history, each once even if symbolic links lead to it."""
    found: dict[str, Profile] = {}
    for kind, folder, windows in (*_chromiums(), *_firefoxes()):
        with suppress(OSError, ValueError):
            real = os.path.realpath(folder)
            os.lstat(f"{real}/{kind.database}")
            status = os.stat(real)
            names = (*_bundle_name(folder), *windows)
            found.setdefault(real, Profile(kind, Path(real), names, (status.st_dev, status.st_ino)))
    return list(found.values())


def _chromiums() -> Iterator[tuple[Kind, Path, tuple[str, ...]]]:
    for root, windows in _below(_configurations(), CHROMIUMS):
        for folder in (root / "Default", *_folders(root, "Profile *")):
            yield CHROMIUM, folder, windows


def _firefoxes() -> Iterator[tuple[Kind, Path, tuple[str, ...]]]:
    homes = [folder for pattern in HOMES for folder in _folders(Path.home(), pattern)]
    dotted = {f".{name}": windows for name, windows in FIREFOXES.items()}
    for root, windows in (*_below(_configurations(), FIREFOXES), *_below(homes, dotted)):
        for folder in (*_folders(root, "*"), *_folders_in_ini(root)):
            yield FIREFOX, folder, windows


def _configurations() -> list[Path]:
    return [user_config_path(), *(folder for pattern in CONFIGURATIONS for folder in _folders(Path.home(), pattern))]


def _below(roots: list[Path], names: dict[str, tuple[str, ...]]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    return ((root / name, windows) for root in roots for name, windows in names.items())


def _folders(root: Path, pattern: str) -> list[Path]:
    return [root / name for name in sorted(glob(pattern, root_dir=root))]


def _folders_in_ini(root: Path) -> Iterator[Path]:
    """Yield the profile folders that profiles.ini names, which may lie anywhere."""
    file, parser = root / "profiles.ini", ConfigParser(interpolation=None, strict=False)
    with suppress(OSError, UnicodeDecodeError, Error):
        if file.is_file():
            parser.read_string(file.read_text("utf-8"))
    for section in parser.sections():
        if path := parser[section].get("Path", ""):
            yield root / path  # an absolute path replaces the root


def _bundle_name(folder: Path) -> tuple[str, ...]:
    """Return the name of the desktop entry if the folder belongs to a flatpak or snap."""
    parts = folder.relative_to(Path.home()).parts if folder.is_relative_to(Path.home()) else ()
    if parts[:2] == (".var", "app"):
        return (parts[2],)
    return (f"{parts[1]}_{parts[1]}",) if parts[:1] == ("snap",) else ()
