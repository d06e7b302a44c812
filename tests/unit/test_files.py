"""Files that are replaced whole: by several at once, and while another process that writes one stands still."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from disks import disk

from memo.core.files import describe_full, find_files, write_atomically


def test_several_who_write_a_file_at_once_write_it_whole(tmp_path: Path) -> None:
    path, contents = tmp_path / "file", [str(number) * 10_000 for number in range(8)]

    def write(content: str) -> str:
        for _ in range(20):
            write_atomically(path, content)
            assert path.read_text() in contents
        return content

    with ThreadPoolExecutor(len(contents)) as pool:
        assert list(pool.map(write, contents)) == contents
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_who_stands_still_while_writing_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with (tmp_path / "file.new").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match=r"another process is writing it: '.*file\.new'"):
            write_atomically(path, "ours", turn_s=0.1)
    write_atomically(path, "ours")
    assert path.read_text() == "ours"


def test_a_disk_without_room_for_a_file_is_named() -> None:
    with disk("900k") as folder:
        assert describe_full(folder) == f"The disk of {folder} is full; free some space."
    with disk("4m,nr_inodes=3") as folder:
        assert describe_full(folder) == ""
        for name in ("1", "2"):
            (folder / name).touch()
        assert describe_full(folder) == f"The disk of {folder} has no room for more files, however small; delete some."


def test_files_are_found_without_links(tmp_path: Path) -> None:
    inner = tmp_path / "home" / "inner"
    inner.mkdir(parents=True)
    (inner / "b").write_text("22")
    (tmp_path / "home" / "a").symlink_to(inner / "b")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    assert [(path, state.st_size) for path, state in find_files(tmp_path / "home")] == [(inner / "b", 2)]
    assert [path.name for path, _ in find_files(tmp_path / "link")] == ["b"], "the folder itself may be a link"
    assert [path for path, _ in find_files(inner / "b")] == [inner / "b"]
    assert not list(find_files(tmp_path / "home" / "a")) and not list(find_files(tmp_path / "gone"))


def test_a_folder_that_goes_meanwhile_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gone", "kept"):
        (tmp_path / name).mkdir()
    (tmp_path / "kept" / "a").touch()
    scan = os.scandir

    def scan_late(folder: Any) -> Any:
        if folder == str(tmp_path / "gone") or folder == tmp_path / "gone":
            (tmp_path / "gone").rmdir()
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scan_late)
    assert [path.name for path, _ in find_files(tmp_path)] == ["a"]
