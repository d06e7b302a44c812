"""Who may write what: MEMO's own files are its owner's alone, and what others can write is refused with a remedy."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stack import MEMO
from waiting import WAIT_S

from memo.core import paths
from memo.core.errors import UsageError
from memo.core.paths import Home, refuse_foreign
from memo.core.settings import Settings
from memo.store.public_views import open_query

NOBODY = 65534
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")


@pytest.fixture
def elsewhere(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A HOME of its own, without MEMO_HOME, in a process that lets everybody write."""
    folder = home.root / "person"
    folder.mkdir(mode=0o700)
    for name in ("MEMO_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    before = os.umask(0)
    yield folder
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o077]


def memo(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([MEMO, *words], capture_output=True, text=True, timeout=WAIT_S, check=False)


def test_up_makes_only_private_files_under_any_umask(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_SOURCES__ON", '["inbox"]')
    try:
        assert memo("up").returncode == 0
        assert len(list(elsewhere.rglob("*"))) > 15
        assert open_to_others(elsewhere) == []
    finally:
        memo("down")


@pytest.mark.parametrize(
    "code",
    [
        "import memo.client as c; c._find_broker(None, None)",
        "from memo.stack.running import hold; from memo.core.paths import Home; "
        "held = hold(Home.find()); held.__enter__(); __import__('os')._exit(0)",
        "from data.importers import rejects; from data.importers.line import Reject; from memo.core.paths import Home; "
        "rejects.write(Home.find().rejects, 'a', [Reject.of('line', 1, 'x', b'')])",
        "import memo.stack.broker as b; from memo.core.paths import Home; h = Home.find(); h.broker.mkdir(mode=0o700)",
    ],
)
def test_library_makes_only_private_files(elsewhere: Path, code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, timeout=WAIT_S)
    assert list(elsewhere.rglob("*")) and open_to_others(elsewhere) == []


@as_root
@pytest.mark.parametrize("name", ["memo.toml", "memo.db", "broker", "title.key"])
def test_files_of_another_user_are_refused(home: Home, name: str) -> None:
    place = home.root / name
    place.mkdir() if name == "broker" else place.write_text("")
    os.chown(place, NOBODY, NOBODY)
    done = memo("status")
    assert done.returncode == 2
    assert f"{place} belongs to nobody" in done.stderr and "sudo chown" in done.stderr


def foreign_folder(path: Path) -> None:
    os.chown(path.parent, NOBODY, NOBODY)


def open_folder(path: Path) -> None:
    path.parent.chmod(0o777)


def open_file(path: Path) -> None:
    path.chmod(0o666)


def group_file(path: Path) -> None:
    os.chown(path, -1, 12_345)
    path.chmod(0o660)


@as_root
@pytest.mark.parametrize("spoil", [foreign_folder, open_folder, open_file, group_file])
def test_settings_that_others_can_write_are_refused(elsewhere: Path, spoil: Callable[[Path], None]) -> None:
    config = elsewhere / ".config" / "memo" / "memo.toml"
    config.parent.mkdir(parents=True, mode=0o700)
    for folder in (config.parent, config.parent.parent):
        folder.chmod(0o700)
    config.write_text('[exec]\ncommand = ["/bin/true"]\n')
    config.chmod(0o600)
    assert Settings.load().exec.command
    spoil(config)
    with pytest.raises(UsageError, match="change what MEMO does; .*(sudo chown|chmod go-w)"):
        Settings.load()


@as_root
@pytest.mark.parametrize("spoil", [foreign_folder, open_folder, open_file])
def test_stores_that_others_can_write_are_refused(home: Home, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    file = tmp_path / "store" / "memo.db"
    file.parent.mkdir(mode=0o700)
    file.touch(mode=0o600)
    spoil(file)
    with (
        pytest.raises(UsageError, match="change what MEMO does"),
        open_query(Settings(database_url=f"sqlite:///{file}")),
    ):
        pass


def test_a_group_of_the_user_alone_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "config"
    place.mkdir()
    place.chmod(0o775)
    for is_own, expected in ((True, False), (False, True)):
        monkeypatch.setattr(paths, "_is_own", lambda _: is_own)  # noqa: B023
        if expected:
            with pytest.raises(UsageError, match=f"chmod go-w {place}"):
                refuse_foreign(place)
        else:
            refuse_foreign(place)


def test_the_users_own_programs_get_the_users_umask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(paths.UMASK, raising=False)
    assert paths.given_umask() == -1
    before = os.umask(0o027)
    try:
        paths.be_private()
        paths.be_private()  # as each child does
        assert (os.umask(0o077), paths.given_umask()) == (0o077, 0o027)
    finally:
        os.umask(before)
        os.environ.pop(paths.UMASK, None)
