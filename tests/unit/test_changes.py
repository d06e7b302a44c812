"""Debouncing: which file changes are a person's. Times are seconds on one clock."""

import pytest

from collector.sources.files.debounce import MINUTE_S, SETTLED_S, Debouncer, is_ignored

LIMIT = 3


@pytest.fixture
def debouncer() -> Debouncer:
    return Debouncer(LIMIT)


@pytest.mark.parametrize(
    "path",
    [
        ".profile",
        ".git/HEAD",
        "project/.git/index",
        "project/.venv/x.py",
        "site/node_modules/left-pad/index.js",
        "project/__pycache__/a.pyc",
        "project/build/report.txt",
        "project/target/debug/app",
        "memo.egg-info/PKG-INFO",
        "letter.txt~",
        ".letter.txt.swp",
        "letter.swp",
        "#letter.txt#",
        "~$letter.docx",
        ".~lock.letter.odt#",
        ".goutputstream-A1B2C3",
        "4913",
        "film.mkv.part",
        "film.mkv.crdownload",
        "x.TMP",
        "app.db-journal",
        "main.o",
    ],
)
def test_is_ignored_files_that_programs_change(path: str) -> None:
    assert is_ignored(path)


@pytest.mark.parametrize(
    "path",
    ["letter.txt", "a/b/c.odt", "builds/x", "my build/x", "build", "README", "49130", "a.b.c", "tmp/x", "line\nbreak"],
)
def test_is_ignored_not_files_that_a_person_may_change(path: str) -> None:
    assert not is_ignored(path)


def test_debouncer_reports_a_settled_file_once(debouncer: Debouncer) -> None:
    assert debouncer.due is None
    debouncer.add("a", 10.0)
    debouncer.add("a", 10.5)
    assert debouncer.due == 10.0 + SETTLED_S
    assert debouncer.pop_settled(10.0 + SETTLED_S / 2) == []
    assert debouncer.pop_settled(10.0 + SETTLED_S) == [("a", 10.0)]
    assert (debouncer.pop_settled(100.0), debouncer.due) == ([], None)


def test_debouncer_skips_a_file_deleted_before_it_settled(debouncer: Debouncer) -> None:
    debouncer.add("a", 10.0)
    debouncer.drop("a")
    debouncer.drop("never seen")
    assert debouncer.pop_settled(20.0) == []


def test_debouncer_reports_a_repeatedly_saved_file_once(debouncer: Debouncer) -> None:
    reported = []
    for second in range(0, 300, 50):
        debouncer.add("a", float(second))
        reported += debouncer.pop_settled(second + SETTLED_S)
    assert reported == [("a", 0.0)]
    debouncer.add("a", 250.0 + MINUTE_S)
    assert debouncer.pop_settled(400.0) == [("a", 250.0 + MINUTE_S)]


def test_debouncer_drops_more_files_than_the_limit(debouncer: Debouncer) -> None:
    for number in range(LIMIT):
        debouncer.add(f"few{number}", 1.0)
    assert len(debouncer.pop_settled(3.0)) == LIMIT
    for number in range(100):
        debouncer.add(f"many{number}", 4.0 + number)
        assert debouncer.pop_settled(4.0 + number + SETTLED_S) == []
    assert debouncer.dropped == 100
    quiet = 4.0 + 99 + MINUTE_S
    debouncer.add("later", quiet)
    assert debouncer.pop_settled(quiet + SETTLED_S) == [("later", quiet)]


def test_debouncer_drops_a_whole_burst(debouncer: Debouncer) -> None:
    for number in range(10_000):
        debouncer.add(f"{number}", 1.0)
    assert debouncer.pop_settled(5.0) == []
    assert debouncer.dropped == 10_000
