"""Which changes of files are a person's. Times are seconds on one clock."""

import pytest

from collector.sources.files.debounce import MINUTE_S, SETTLED_S, Debouncer, ignored

MOST = 3


@pytest.fixture
def changes() -> Debouncer:
    return Debouncer(MOST)


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
def test_what_programs_change_is_ignored(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize(
    "path",
    ["letter.txt", "a/b/c.odt", "builds/x", "my build/x", "build", "README", "49130", "a.b.c", "tmp/x", "line\nbreak"],
)
def test_what_a_person_may_change_is_not(path: str) -> None:
    assert not ignored(path)


def test_a_file_is_told_once_it_has_settled(changes: Debouncer) -> None:
    assert changes.due is None
    changes.put("a", 10.0)
    changes.put("a", 10.5)
    assert changes.due == 10.0 + SETTLED_S
    assert changes.settled(10.0 + SETTLED_S / 2) == []
    assert changes.settled(10.0 + SETTLED_S) == [("a", 10.0)]
    assert (changes.settled(100.0), changes.due) == ([], None)


def test_a_file_that_goes_before_it_has_settled_is_not_told(changes: Debouncer) -> None:
    changes.put("a", 10.0)
    changes.drop("a")
    changes.drop("never seen")
    assert changes.settled(20.0) == []


def test_a_file_that_is_saved_again_and_again_is_told_once_until_it_rests(changes: Debouncer) -> None:
    told = []
    for second in range(0, 300, 50):
        changes.put("a", float(second))
        told += changes.settled(second + SETTLED_S)
    assert told == [("a", 0.0)]
    changes.put("a", 250.0 + MINUTE_S)
    assert changes.settled(400.0) == [("a", 250.0 + MINUTE_S)]


def test_more_than_so_many_files_in_a_minute_are_a_programs(changes: Debouncer) -> None:
    for number in range(MOST):
        changes.put(f"few{number}", 1.0)
    assert len(changes.settled(3.0)) == MOST
    for number in range(100):
        changes.put(f"many{number}", 4.0 + number)
        assert changes.settled(4.0 + number + SETTLED_S) == []
    assert changes.dropped == 100
    quiet = 4.0 + 99 + MINUTE_S
    changes.put("later", quiet)
    assert changes.settled(quiet + SETTLED_S) == [("later", quiet)]


def test_of_a_burst_none_is_told(changes: Debouncer) -> None:
    for number in range(10_000):
        changes.put(f"{number}", 1.0)
    assert changes.settled(5.0) == []
    assert changes.dropped == 10_000
