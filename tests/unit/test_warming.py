"""Reading ahead: what is read, in which order, how far, and what never is."""

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memo.core.settings import PreloadSettings
from memo.desktop.launch_sets import UNIT, Span
from memo.desktop.machine import Machine
from worker.effects import page_cache
from worker.effects.page_cache import CHUNK, Objection, Pace, Warmed, opened
from worker.effects.read_limits import READING_S, Limits

PLENTY = 10**9


@pytest.fixture(autouse=True)
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is in memory."""
    monkeypatch.setattr(page_cache, "is_there", lambda file, start, length: False)


def warm(files: Mapping[str, tuple[Span, ...]], most: int, objection: Objection) -> Warmed:
    """Read files without rests, with no other program running."""
    return page_cache.warm(files, most, objection, Pace(rest=0, loadavg=Path("/not Linux")))


class Waiting(Machine):
    """A machine whose programs wait for memory."""

    def __init__(self, percent: float | None) -> None:
        self.percent, self.asked = percent, 0

    def stalled(self, resource: str) -> float | None:
        assert resource == "memory"
        self.asked += 1
        return self.percent


def _files(folder: Path, *sizes: int) -> dict[str, tuple[()]]:
    for number, size in enumerate(sizes):
        (folder / f"{number}").write_bytes(b"x" * size)
    return {str(folder / f"{number}"): () for number in range(len(sizes))}


def _nothing() -> str:
    return ""


def test_files_are_read_whole_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()
    real = os.open

    def note(path: str, flags: int) -> int:
        asked.append(path)
        return real(path, flags)

    monkeypatch.setattr(os, "open", note)
    files = _files(tmp_path, 10, 3 * CHUNK + 5, 0, 20)

    done = warm(files, PLENTY, _nothing)

    assert asked == list(files)
    assert (done.files, done.read_bytes, done.stopped) == (4, 3 * CHUNK + 35, "")
    assert done.as_result["cold"] is True


def test_only_the_spans_of_a_file_are_read(tmp_path: Path) -> None:
    [path] = _files(tmp_path, 40 * UNIT + 7)
    assert warm({path: ((2, 3), (40, 5))}, PLENTY, _nothing).read_bytes == 3 * UNIT + 7
    assert warm({path: ((100, 1),)}, PLENTY, _nothing).read_bytes == 0  # it has become shorter


def test_cached_chunks_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_cache, "is_there", lambda file, start, length: start > 0)
    done = warm(_files(tmp_path, 3 * CHUNK), PLENTY, _nothing)
    assert (done.read_bytes, done.there_bytes) == (CHUNK, 2 * CHUNK)
    assert done.as_result["cold"] is False


def test_a_file_larger_than_the_budget_is_skipped(tmp_path: Path) -> None:
    done = warm(_files(tmp_path, 100, 5 * CHUNK, 200), 2 * CHUNK, _nothing)
    assert (done.read_bytes, done.stopped) == (300, "budget")


def test_reading_ends_between_two_chunks(tmp_path: Path) -> None:
    said: Iterator[str] = iter(["", "", "", "memory pressure"])  # asked before the folder is listed, too
    done = warm(_files(tmp_path, CHUNK, 4 * CHUNK, CHUNK), PLENTY, lambda: next(said))
    assert (done.read_bytes, done.stopped) == (2 * CHUNK, "memory pressure")
    assert warm(_files(tmp_path, CHUNK), PLENTY, lambda: "deadline").files == 0


@pytest.mark.parametrize(("runs_for", "looks"), [(0, 0), (3, 3), (10**6, 10)])
def test_reading_waits_for_other_programs_up_to_a_limit(
    runs_for: int, looks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, waits = tmp_path / "loadavg", 0

    def tell() -> None:
        running.write_text(f"0.50 0.40 0.30 {2 if waits < runs_for else 1}/200 4711\n")

    def sleep(seconds: float) -> None:
        nonlocal waits
        waits += seconds > 0  # else it is the rest
        tell()

    tell()
    pace = Pace(rest=0, work_s=0.0, wait_s=9.5 * Pace().poll_s, loadavg=running)
    monkeypatch.setattr(time, "sleep", sleep)
    assert page_cache.warm(_files(tmp_path, 10, 20), PLENTY, _nothing, pace).read_bytes == 30
    assert waits == looks


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    regular, link, pipe = tmp_path / "regular", tmp_path / "link", tmp_path / "pipe"
    regular.write_text("x")
    link.symlink_to(regular)
    os.mkfifo(pipe)
    with opened(str(regular)) as file:
        assert file is not None
    for path in (link, pipe, tmp_path, Path("/dev/zero"), tmp_path / "absent"):
        with opened(str(path)) as file:
            assert file is None, path
    for name in ("a\x00b", "half\ud800", "n" * 100_000):
        with opened(name) as file:
            assert file is None


def test_limits_end_at_the_deadline() -> None:
    settings, now = PreloadSettings(), datetime.now(UTC)
    machine = Waiting(0.0)
    assert Limits(settings, now - timedelta(seconds=1), machine).objection() == "deadline"
    assert Limits(settings, now + timedelta(minutes=10), machine).objection() == ""
    short = PreloadSettings(seconds=1e-9)
    assert Limits(short, now + timedelta(minutes=10), machine).objection() == "deadline"


@pytest.mark.parametrize(("percent", "words"), [(None, ""), (9.0, ""), (11.0, "memory pressure")])
def test_limits_end_under_memory_pressure(percent: float | None, words: str) -> None:
    later = datetime.now(UTC) + timedelta(minutes=10)
    assert Limits(PreloadSettings(), later, Waiting(percent)).objection() == words


def test_memory_pressure_is_read_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, machine = [0.0], Waiting(0.0)
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    limits = Limits(PreloadSettings(), datetime.now(UTC) + timedelta(minutes=10), machine)
    for clock[0] in (0.0, 0.01, 0.02, READING_S + 0.01):
        limits.objection()
    assert machine.asked == 2


def test_limits_allow_a_share_of_the_available_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(PreloadSettings(), datetime.now(UTC), Waiting(0.0))
    assert limits.bytes(1) == 1_000_000
    assert limits.bytes(10**9) < 10**12
