"""What is kept of how apps start: bounded, private, and only of programs' files."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.launch.access_times import accessed, is_installed, roots
from collector.launch.inspection import LARGEST, WHOLE, bytes_of, wanted_spans
from memo.desktop.launch_sets import UNIT, LaunchSet, as_dict, from_dict

KNOWN = LaunchSet(
    "app", "/usr/bin/app", (1, 2, 3), datetime(2026, 3, 2, tzinfo=UTC), ("2026-03-02",), {"/usr/bin/app": ((0, 2),)}, 9
)
PERSON = Path("/home/ada")


def test_launch_set_survives_json() -> None:
    assert from_dict(json.loads(json.dumps(as_dict(KNOWN)))) == KNOWN


@pytest.mark.parametrize("broken", [{"version": [1]}, {"files": []}, {"days": "today"}, {"bytes": None}], ids=repr)
def test_launch_set_of_broken_json_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises((AttributeError, TypeError, ValueError)):
        from_dict(as_dict(KNOWN) | broken)


def test_large_file_is_wanted_where_touched(tmp_path: Path) -> None:
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
def test_program_among_documents_adds_no_folder(folder: str) -> None:
    assert not is_installed(f"{folder}/letter.odt", PERSON, f"{folder}/app")
    assert folder not in roots(PERSON, f"{folder}/app")


def test_files_are_found_by_access_time(tmp_path: Path) -> None:
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
