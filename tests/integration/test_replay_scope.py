"""The scope of a replay, as the inbox reads it."""

import os
from pathlib import Path

import pytest

from collector.sources.inbox.inbox_reader import InboxReader
from data import replay
from memo.core.paths import Home
from memo.core.settings import Settings

LINES = [f"2026-03-02 09:00:0{second} - 启动应用: {name}" for second, name in enumerate("甲乙丙丁戊己庚")]


NAMES = ["x" * 251, "名" * 80, "a\\b", "a\nb", "a.tmp", os.fsdecode(b"a\xff"), "..a", " a"]


@pytest.mark.parametrize("stem", NAMES)
def test_replay_scope_is_read_by_the_inbox_for_any_name(
    stem: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / f"{stem}.txt"
    file.write_text(LINES[0])
    scope = replay.scope_of(file)

    def wait(*_: object) -> None:
        [path] = home.inbox.rglob("*.txt")
        assert InboxReader(Settings.load(), home, print, lambda _: None)._scope(path.relative_to(home.inbox)) == scope

    monkeypatch.setattr(replay, "_wait_until_read", wait)
    assert replay.replay(file, 0, scope).startswith("Replayed 1 lines of ")
    assert scope != replay.scope_of(tmp_path / f"{stem}2.txt")
