"""The folder in memory is its owner's alone, wherever it is."""

import os
import stat
from pathlib import Path

import pytest

from memo.core.errors import UsageError
from memo.core.paths import Home


def test_in_memory_is_a_private_runtime_folder(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    found = home.in_memory
    assert found.parent == tmp_path and stat.S_IMODE(found.stat().st_mode) == 0o700
    assert Home(home.root).in_memory == found, "the same for each process"
    assert Home(home.root / "other").in_memory != found


@pytest.mark.parametrize("found", ["open to others", "a link", "a file"])
def test_in_memory_refuses_what_is_not_private(
    found: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    name = home.in_memory.name
    (tmp_path / name).rmdir()
    match found:
        case "open to others":
            (tmp_path / name).mkdir()
            (tmp_path / name).chmod(0o755)
        case "a link":
            (tmp_path / "elsewhere").mkdir(mode=0o700)
            (tmp_path / name).symlink_to(tmp_path / "elsewhere")
        case "a file":
            (tmp_path / name).touch(mode=0o600)
    used = Home(home.root).in_memory
    assert used.parent != tmp_path
    os.rmdir(used)


def test_in_memory_without_a_place_is_in_the_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(Path, "lstat", lambda self: (_ for _ in ()).throw(OSError("no such place")))
    assert home.in_memory == home.run / "memory"


@pytest.mark.parametrize("name", ["inbox", "run", "learned"])
def test_find_names_a_file_in_the_place_of_a_folder(home: Home, name: str) -> None:
    (home.root / name).rmdir()
    (home.root / name).touch()
    with pytest.raises(UsageError, match=f"{home.root / name} is a file, where MEMO needs a folder"):
        Home.find()


@pytest.mark.parametrize("place", ["XDG_RUNTIME_DIR", "/dev/shm", "run"])
def test_folder_in_memory_is_removed(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if place == "XDG_RUNTIME_DIR":
        monkeypatch.setenv(place, str(tmp_path))
    folder = home.run / "memory" if place == "run" else home.in_memory
    folder.mkdir(exist_ok=True)
    (folder / "copy").touch()
    home.remove_memory()
    assert not folder.exists()
