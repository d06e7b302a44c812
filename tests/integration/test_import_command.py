"""`memo import` adds each past event once, whatever its form and however often it is imported."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from calling import memo_import, printed
from sqlalchemy import select
from stores import make_store

from collector.privacy.rules import Rules, apply_to, make_rules
from data.importers import events as events_of
from db.engine import Store, open_store
from db.intake import events
from db.models import EventRow
from memo.core.errors import MemoError, UsageError
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings

START = datetime(2026, 3, 2, 9)
SECRET = "2026-03-02 09:00:09 - told app: secret"


@pytest.fixture(autouse=True)
def settings(database_url: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in {"DATABASE_URL": database_url, "SCOPE": "a@b", "TIMEZONE": "Asia/Shanghai"}.items():
        monkeypatch.setenv(f"MEMO_{name}", value)
    monkeypatch.chdir(tmp_path)
    return Settings.load()


@pytest.fixture
def store(settings: Settings, home: Home) -> Iterator[Store]:
    opened = open_store(settings, home)
    yield opened
    opened.close()


def lines(names: str) -> list[str]:
    """Return starts of apps, one per second; a space is a second without one."""
    return [
        f"{START + timedelta(seconds=second):%Y-%m-%d %H:%M:%S} - 启动应用: {name}"
        for second, name in enumerate(names)
        if name != " "
    ]


def write(name: str, given: list[str]) -> str:
    Path(name).write_text("\n".join(given), encoding="utf-8")
    return name


def rows(store: Store, scope: str = "a@b") -> list[EventRow]:
    with store.read() as session:
        return list(session.scalars(select(EventRow).where(EventRow.scope == scope).order_by(EventRow.seq)))


def targets(store: Store, scope: str = "a@b") -> str:
    return "".join(row.target for row in rows(store, scope))


def test_import_stores_events_in_order(store: Store) -> None:
    report = memo_import(write("a.txt", lines("甲乙丙")))
    assert report == {"read": 3, "new": 3, "private": 0, "rejected": 0, "scope": "a@b", "rejects": []}
    assert targets(store) == "甲乙丙"
    first = rows(store)[0]
    assert (first.source, first.source_key, first.seq) == (events.IMPORT, "a.txt", 1)
    assert first.local_at.isoformat() == "2026-03-02T09:00:00+08:00"


def test_import_twice_adds_nothing(store: Store) -> None:
    for file in (write("a.txt", lines("甲乙丙")), write("renamed.txt", lines("甲乙丙"))):
        memo_import(file)
        assert memo_import(file)["new"] == 0
    assert targets(store) == "甲乙丙"


def test_import_in_another_form_adds_nothing(store: Store) -> None:
    stream = lines("甲乙丙丁戊己庚")
    windows = [{"input": "\n".join(["头", *stream[end - 5 : end]]), "output": stream[end]} for end in (5, 6)]
    objects = [json.dumps({"event": line}) for line in stream]
    english = [line.replace("启动应用", "Started app") for line in stream]
    csv = ["at,operation,target", *(f"{line[:19]},process_start,{line[-1]}" for line in stream)]
    assert memo_import(write("a.txt", stream))["new"] == 7
    for again in (
        write("a.json", [json.dumps(windows)]),
        write("a.jsonl", objects),
        write("en.txt", english),
        write("a.csv", csv),
    ):
        report = memo_import(again)
        assert (report["read"], report["new"]) == (7, 0), again
    assert targets(store) == "甲乙丙丁戊己庚"


def test_import_of_equal_lines_keeps_the_largest_count(store: Store) -> None:
    [one] = lines("甲")
    counts = {"two.txt": 2, "three.txt": 3, "one.txt": 1}
    for name, count in counts.items():
        write(name, [one] * count)
    assert [memo_import(name)["new"] for name in counts] == [2, 1, 0]
    assert memo_import(*counts) == {"read": 6, "new": 0, "private": 0, "rejected": 0, "scope": "a@b", "rejects": []}
    assert targets(store) == "甲甲甲"


def test_import_of_overlapping_files_adds_only_new_events(store: Store) -> None:
    files = [write("a.txt", lines("甲乙丙")), write("b.txt", lines(" 乙丙丁"))]
    assert memo_import(*files)["new"] == 4
    assert targets(store) == "甲乙丙丁"


def test_import_of_older_events_puts_them_first(store: Store) -> None:
    memo_import(write("late.txt", lines("   丁戊")))
    memo_import(write("early.txt", lines("甲乙丙")))
    assert targets(store) == "甲乙丙丁戊"
    numbers = [row.seq for row in rows(store)]
    assert numbers == sorted(numbers)


def test_import_of_several_batches_is_one_import(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.records.import_files.BATCH", 2)
    repeated = [*lines("甲"), SECRET, *lines("甲"), *lines("甲乙"), SECRET]
    report = memo_import(write("a.txt", repeated))
    assert (report["read"], report["new"], report["rejected"], len(report["rejects"])) == (4, 4, 2, 1)
    assert targets(store) == "甲甲甲乙"


def test_import_keeps_scopes_apart(store: Store) -> None:
    file = write("a.txt", lines("甲乙"))
    memo_import(file)
    assert memo_import(file, "--scope", "c@d") == {
        "read": 2,
        "new": 2,
        "private": 0,
        "rejected": 0,
        "scope": "c@d",
        "rejects": [],
    }
    assert targets(store) == targets(store, "c@d") == "甲乙"


def test_import_counts_rejects_without_keeping_their_text(home: Home) -> None:
    report = memo_import(write("a.txt", [*lines("甲"), SECRET, "1970-01-01 09:00:00 - Started app: secret"]))
    assert (report["read"], report["rejected"], report["rejects"]) == (1, 2, [str(home.rejects / "a.txt.jsonl")])
    written = [json.loads(line) for line in (home.rejects / "a.txt.jsonl").read_text().splitlines()]
    assert [(row["file"], row["line"]) for row in written] == [("a.txt", 2), ("a.txt", 3)]
    kept = [file.read_bytes() for file in home.root.rglob("*") if file.is_file()]
    assert not any(b"secret" in content for content in kept)


def test_import_prints_its_counts_in_a_sentence(home: Home) -> None:
    write("a.txt", lines("甲乙"))
    assert printed("import", "a.txt") == "2 events read, 2 new, 0 rejected.\n"
    write("b.txt", [*lines("甲"), SECRET])
    assert printed("import", "b.txt") == f"1 event read, 0 new, 1 rejected (see {home.rejects / 'b.txt.jsonl'}).\n"


def test_import_without_any_event_says_where_to_look(home: Home) -> None:
    with pytest.raises(MemoError, match=f"No event could be read; {home.rejects / 'a.txt.jsonl'} has the reason"):
        memo_import(write("a.txt", [SECRET]))
    with pytest.raises(MemoError, match="^There are no events in a.json; name files of"):
        memo_import(write("a.json", ["[]"]))


@pytest.mark.parametrize("bad", ["none.txt", ".", "empty.txt", "wrong.json"])
def test_import_with_one_wrong_file_stores_nothing(bad: str, home: Home, settings: Settings, store: Store) -> None:
    write("empty.txt", [])
    write("wrong.json", ['"a"'])
    with pytest.raises(MemoError) as raised:
        memo_import(write("a.txt", lines("甲")), bad)
    assert bad in str(raised.value)
    make_store(settings, home)
    assert rows(store) == []


def test_import_into_an_impossible_scope_is_refused() -> None:
    with pytest.raises(UsageError, match="Setting scope is wrong"):
        memo_import(write("a.txt", lines("甲")), "--scope", "../x")


def without_equal_titles(given: list[Event], rules: Rules) -> list[Event]:
    """Return the events that rules leave, but one focus for titles in a row that only differed in a secret."""
    expected, focused = [], None
    for event in given:
        after, changed = apply_to(event, rules)
        assert after is not None
        if not changed or after.action != focused:
            expected.append(after)
        if after.operation is Operation.WINDOW_FOCUS:
            focused = after.action
    return expected


def test_import_of_real_files_adds_each_event_once(
    event_files: list[Path], store: Store, settings: Settings, home: Home
) -> None:
    for file in event_files:
        given = [replace(event, source=events.IMPORT) for event in events_of(file, settings.zone)]
        expected = without_equal_titles(given, make_rules(settings.privacy, home))
        told = memo_import(str(file), "--scope", file.stem)
        new = len(expected)
        assert told | {"scope": "", "rejects": []} == {
            "read": len(given), "new": new, "private": len(given) - new, "rejected": 0, "scope": "", "rejects": [],
        }  # fmt: skip
        assert memo_import(str(file), "--scope", file.stem)["new"] == 0
        with store.read() as session:
            kept = events.find_newest_events(session, file.stem)
        assert Counter(event.action for event in kept) == Counter(event.action for event in expected)
        assert [event.at for event in kept] == sorted(event.at for event in expected)
