"""The manifest of a version: it is written last, and tells what is no longer as it was."""

from pathlib import Path

import pytest

from memo.store import manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("adapter.safetensors", "config.json"):
        (tmp_path / name).write_text(name)
    manifest.write(tmp_path, {"parent": "v0001"})
    return tmp_path


def test_manifest_describes_all_other_files(folder: Path) -> None:
    found = manifest.read(folder)
    assert found["parent"] == "v0001" and set(found["files"]) == {"adapter.safetensors", "config.json"}
    assert manifest.find_damage(folder, found["content"]) == ""
    manifest.write(folder, {"parent": "v0002"})
    assert manifest.read(folder)["content"] == found["content"], "the same files have the same hash"


def test_changed_file_is_damage_until_it_is_back(folder: Path) -> None:
    (folder / "config.json").write_text("else")
    assert "config.json is not as it was when the version was trained" in manifest.find_damage(folder, None)
    (folder / "config.json").write_text("config.json")
    assert manifest.find_damage(folder, None) == ""


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', '{"files": {"gone": ""}}', '{"files": {"a\\u0000": ""}}'])
def test_damaged_manifest_is_damage(folder: Path, text: str) -> None:
    (folder / manifest.NAME).write_text(text)
    assert "can't be read" in manifest.find_damage(folder, None)


def test_another_version_in_the_folder_is_damage(folder: Path) -> None:
    assert manifest.find_damage(folder, "0" * 64).endswith("holds another version")


def test_version_of_an_earlier_release_has_no_hashes(folder: Path) -> None:
    (folder / manifest.NAME).write_text("{}")
    assert manifest.find_damage(folder, None) == ""
