"""Two stores on one broker never meet: neither their work nor their messages."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import remove_names
from kombu import Connection
from test_client import message
from waiting import WAIT_S, until

from cli.stack.first_run import prepare_store
from db.migrate import upgrade
from memo.client import subscribe
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.messaging.publisher import Publisher
from memo.stack.broker import key_prefix
from memo.stack.task_queue import DISPATCH, LOOK, PREDICT, PREFIX, lengths, make_app
from memo.store.identity import find_store_id, wait_for_store_id


@dataclass
class Stack:
    """What one stack knows: its store, and the broker that it shares."""

    url: str
    database: str
    monkeypatch: pytest.MonkeyPatch

    def __enter__(self) -> str:
        """Enter its settings; return how its names begin."""
        self.monkeypatch.setenv("MEMO_BROKER_URL", self.url)
        self.monkeypatch.setenv("MEMO_DATABASE_URL", self.database)
        upgrade(Settings.load(), Home.find())
        return key_prefix(Settings.load())

    def __exit__(self, *_: object) -> None:
        self.monkeypatch.delenv("MEMO_DATABASE_URL")


@pytest.fixture(params=["redis", "amqp"])
def stacks(
    request: pytest.FixtureRequest, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Stack]]:
    url: str = request.getfixturevalue(f"{request.param}_url")
    both = [Stack(url, f"sqlite:///{tmp_path}/{name}.db", monkeypatch) for name in ("one", "two")]
    yield both
    if url.startswith("amqp"):
        with Connection(url) as connection:
            for stack in both:
                with stack as prefix:
                    remove_names(connection, prefix)


def test_work_of_one_stack_is_not_seen_by_another(stacks: list[Stack]) -> None:
    for count, stack in enumerate(stacks, 1):
        with stack as prefix:
            app = make_app(stack.url, prefix)
            with app.connection_for_write() as connection:
                for _ in range(count):
                    app.send_task(LOOK, ["a@b"], connection=connection)
            app.close()
    for count, stack in enumerate(stacks, 1):
        with stack as prefix:
            until("its own work", lambda: lengths(stack.url, prefix) == {PREDICT: count, DISPATCH: 0})  # noqa: B023


@pytest.mark.parametrize("group", [None, "lights"])
def test_readers_get_predictions_of_their_store_only(stacks: list[Stack], group: str | None) -> None:
    prefixes, readers = [], []
    for stack in stacks:
        with stack as prefix:
            prefixes.append(prefix)
            readers.append(subscribe(group=group, timeout=WAIT_S))
    for number, (stack, prefix) in enumerate(zip(stacks, prefixes, strict=True), 1):
        publisher = Publisher(stack.url, prefix)
        publisher.publish([message(7) | {"model": f"v{number}"}, message(8)])
        publisher.close()
    assert [[next(reader)["model"], next(reader)["id"]] for reader in readers] == [["v1", 8], ["v2", 8]]
    for reader in readers:
        reader.close()
    if group:
        with Connection(stacks[0].url) as connection:
            for prefix in prefixes:
                if stacks[0].url.startswith("amqp"):
                    connection.default_channel.queue_delete(f"{prefix}.predictions.{group}")


def test_id_is_made_once_and_stays(home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    found = []
    for _ in range(2):
        upgrade(Settings.load(), home)
        found.append(find_store_id(Settings.load()))
    assert len(found[0]) == 12 and found[0] == found[1]


def test_embedded_broker_keeps_the_documented_names(home: Home) -> None:
    assert key_prefix(Settings.load()) == PREFIX == "memo", "without a store, too"


def test_reader_without_a_store_says_what_it_needs(redis_url: str, home: Home) -> None:
    with pytest.raises(MemoError, match=f"no store at {home.root}.*memo up"):
        subscribe(url=redis_url)
    with pytest.raises(MemoError, match="no store"):
        wait_for_store_id(Settings.load(), wait_s=0)


def settle(home: Home, monkeypatch: pytest.MonkeyPatch) -> str:
    """Prepare a home as `memo up` does, and return how its names on a shared broker begin."""
    monkeypatch.setenv("MEMO_HOME", str(home.root))
    prepare_store(Home.find(), Settings.load(), requeue=False)
    return key_prefix(Settings.load())


def test_copies_of_a_home_never_meet(
    redis_url: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMO_BROKER_URL", redis_url)
    original = settle(home, monkeypatch)
    places = [tmp_path / "copy", tmp_path / "copy of the copy"]
    shutil.copytree(home.root, places[0])
    shutil.copytree(home.root, places[1])
    shutil.copyfile(home.root / "memo.db", home.root / "other.db")
    found = [settle(one, monkeypatch) for one in (home, *map(Home, places), home)]
    assert found[0] == found[3] == original
    monkeypatch.setenv("MEMO_DATABASE_URL", f"sqlite:///{home.root}/other.db")
    assert len({*found, settle(home, monkeypatch)}) == 4


def test_renamed_or_restored_home_keeps_its_id(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEMO_BROKER_URL", redis_url)
    home = Home(tmp_path / "home")
    original, file = settle(home, monkeypatch), home.root / "memo.db"
    kept = file.read_bytes()
    file.unlink()
    file.write_bytes(kept)
    assert settle(home, monkeypatch) == original
    home.root.rename(tmp_path / "moved")
    assert settle(Home(tmp_path / "moved"), monkeypatch) == original
    assert capsys.readouterr().out == ""
    shutil.copytree(tmp_path / "moved", tmp_path / "copy")
    copied = settle(Home(tmp_path / "copy"), monkeypatch)
    said = " ".join(capsys.readouterr().out.split())
    assert f"a new id, {copied.removeprefix('memo:')}" in said and original.removeprefix("memo:") in said


def test_database_of_several_machines_keeps_its_id(
    redis_url: str, home: Home, emptied_postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMO_BROKER_URL", redis_url)
    monkeypatch.setenv("MEMO_DATABASE_URL", emptied_postgres)
    assert settle(home, monkeypatch) == settle(Home(tmp_path / "other"), monkeypatch)
