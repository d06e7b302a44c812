"""Windows put back into their stream, as the external scorer does it."""

import json
import runpy
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from data.windows import WindowedPair, feed, stream

Feed = Callable[[Iterable[WindowedPair]], Iterable[tuple[Sequence[str], Sequence[str], str]]]


@pytest.fixture(scope="module")
def scorers_feed(event_files: list[Path]) -> Feed:
    scorer = event_files[0].parent / "score.py"
    if not scorer.is_file():
        pytest.skip("no scorer next to the event files")
    found: Feed = runpy.run_path(str(scorer))["feed"]
    return found


def slid(lines: Sequence[str], size: int, step: int = 1) -> list[WindowedPair]:
    return [(list(lines[end - size : end]), lines[end]) for end in range(size, len(lines), step)]


SYNTHETIC: dict[str, list[WindowedPair]] = {
    "none": [],
    "one": slid("abcdef", 5),
    "overlapping": slid("abcdefghij", 5),
    "repeating": slid("aabbbbbbaaaac", 5),
    "two apart": slid("abcdefghijkl", 5, 2),
    "with a gap": slid("abcdefg", 3) + slid("tuvwxyz", 3),
    "of changing size": [*slid("abcdefgh", 5), *slid("fghijk", 2), *slid("ijklmnopq", 7)],
    "without lines": [([], "a"), ([], "b"), (["a", "b"], "c")],
    "without an output": [(["a", "b"], ""), (["a", "b", "c"], "")],
}


@pytest.mark.parametrize("pairs", SYNTHETIC.values(), ids=SYNTHETIC.keys())
def test_feed_agrees_with_the_scorer(pairs: list[WindowedPair], scorers_feed: Feed) -> None:
    assert [tuple(fed) for fed in feed(pairs)] == [tuple(fed) for fed in scorers_feed(pairs)]


def test_feed_agrees_with_the_scorer_on_real_files(event_files: list[Path], scorers_feed: Feed) -> None:
    for file in event_files:
        rows = json.loads(file.read_text(encoding="utf-8"))
        pairs = [(row["input"].split("\n")[1:], row["output"]) for row in rows]
        ours, theirs = [tuple(fed) for fed in feed(pairs)], [tuple(fed) for fed in scorers_feed(pairs)]
        assert ours
        assert ours == theirs, f"in {file.name}"


def test_stream_keeps_repeated_lines() -> None:
    assert stream(slid("aaabbaaaaac", 5)) == list("aaabbaaaaac")


def test_feed_after_a_gap_starts_a_new_window() -> None:
    pairs: list[WindowedPair] = [(["a", "b"], "c"), (["x", "y"], "z")]
    assert [fed.new for fed in feed(pairs)] == [["a", "b"], ["x", "y"]]
    assert stream(pairs) == list("abcxyz")
