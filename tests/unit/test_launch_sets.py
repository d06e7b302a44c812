"""What is kept of how apps start: bounded, private, and only of programs' files."""

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from handling import HOSTILE

from collector.launch.access_times import accessed, is_installed, roots
from collector.launch.file_spans import LARGEST, WHOLE, bytes_of, wanted_spans
from memo.core.paths import Home
from memo.desktop import launch_sets
from memo.desktop.launch_sets import UNIT, LaunchSet

KNOWN = LaunchSet(
    "app", "/usr/bin/app", (1, 2, 3), datetime(2026, 3, 2, tzinfo=UTC), ("2026-03-02",), {"/usr/bin/app": ((0, 2),)}, 9
)
PERSON = Path("/home/ada")


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_kept_is_read_again_whatever_the_app_is_called(home: Home, name: str) -> None:
    launch_sets.write(home, replace(KNOWN, app=name))
    assert launch_sets.read(home, name) == replace(KNOWN, app=name)
    [path] = home.apps.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert launch_sets.read(home, "another") is None


def test_what_can_not_be_read_is_nothing_and_always_meant(home: Home) -> None:
    launch_sets.write(home, KNOWN)
    [path] = home.apps.iterdir()
    whole = json.loads(path.read_text())
    for broken in ("", "[]", "{}", '{"version": [1]}', json.dumps(whole | {"files": []}), "\xff"):
        path.write_text(broken)
        assert launch_sets.read(home, "app") is None, broken
    assert launch_sets.meant(home, lambda known: False) == [path]


def test_the_apps_that_were_looked_at_longest_ago_go(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch_sets, "MOST_SETS", 2)
    for name in ("a", "b", "c"):
        launch_sets.write(home, replace(KNOWN, app=name))
    assert len(list(home.apps.iterdir())) == 2
    assert launch_sets.read(home, "c") is not None


def test_an_app_is_found_and_removed(home: Home) -> None:
    for name in ("a", "b"):
        launch_sets.write(home, replace(KNOWN, app=name))
    [path] = launch_sets.meant(home, lambda known: known.app == "a")
    launch_sets.remove(home, "a")
    assert not path.exists()
    assert launch_sets.read(home, "a") is None and launch_sets.read(home, "b") is not None
    launch_sets.remove(home, "a")
    assert launch_sets.meant(Home(home.root / "absent"), lambda known: True) == []


def test_of_a_large_file_what_was_touched_is_wanted(tmp_path: Path) -> None:
    small, large, huge = (tmp_path / name for name in ("small", "large", "huge"))
    for path, size in ((small, 10), (large, WHOLE + 1), (huge, LARGEST + 1)):
        with path.open("wb") as file:
            file.truncate(size)
    assert wanted_spans(str(small), set(), ()) == ()
    assert wanted_spans(str(large), {3, 4, 7}, ((8, 2),)) == ((0, 1), (3, 2), (7, 3))
    assert wanted_spans(str(large), set(), ()) == ()
    assert wanted_spans(str(huge), {1}, ()) == ((0, 2),)
    assert wanted_spans(str(huge), set(), ()) is None
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to(small)
    for name in ("empty", "link", "absent", "."):
        assert wanted_spans(str(tmp_path / name), {1}, ()) is None
    assert bytes_of(str(large), ((0, 2),)) == 2 * UNIT
    assert bytes_of(str(small), ((0, 2),)) == bytes_of(str(small), ()) == 10


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/usr/lib/libx.so", True),
        ("/etc/fonts/fonts.conf", True),
        ("/home/ada/.config/app/rc", True),
        ("/home/ada/apps/app/data.bin", True),
        ("/home/ada/Documents/letter.odt", False),
        ("/home/adam/.config/rc", False),
        ("/media/stick/letter.odt", False),
        ("/tmp/.X11/x", False),
    ],
)
def test_only_files_of_programs_are_kept(path: str, kept: bool) -> None:
    assert is_installed(path, PERSON, "/home/ada/apps/app/app") is kept


@pytest.mark.parametrize("folder", ["/home/ada", "/home/ada/Downloads"])
def test_a_program_among_documents_makes_that_no_folder_of_programs(folder: str) -> None:
    assert not is_installed(f"{folder}/letter.odt", PERSON, f"{folder}/app")
    assert folder not in roots(PERSON, f"{folder}/app")


def test_files_are_found_by_the_time_of_their_last_reading(tmp_path: Path) -> None:
    inner = tmp_path / "share" / "app"
    inner.mkdir(parents=True)
    for name, at in (("before", 100), ("within", 200), ("after", 300)):
        (inner / name).write_text("x")
        os.utime(inner / name, (at, 50))
    (inner / "link").symlink_to(inner / "within")
    skipped = tmp_path / "doc"
    skipped.mkdir()
    (skipped / "within").write_text("x")
    os.utime(skipped / "within", (200, 50))
    assert accessed([str(tmp_path), "/absent"], 150, 250) == {str(inner / "within")}
