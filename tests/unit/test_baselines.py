from collections.abc import Sequence

from memo.core.events import Action, Operation
from training.evaluation.baselines import NAMES, Baselines, frecency
from training.evaluation.metrics import Key


def keys(text: str) -> list[Key]:
    return [Key(Action(Operation.PROCESS_START, name)) for name in text]


def taught(text: str, hours: Sequence[float] = ()) -> Baselines:
    baselines = Baselines()
    for key, hour in zip(keys(text), hours or [0.0] * len(text), strict=True):
        baselines.learn(key, 3_600 * hour)
    return baselines


def test_rank_follows_each_baselines_rule() -> None:
    baselines = taught("aabcab")
    assert baselines.rank("repeat") == keys("b")
    assert baselines.rank("mru") == keys("bac")
    assert baselines.rank("mfu") == keys("abc")
    assert baselines.rank("markov1") == keys("cab")
    assert baselines.rank("ppm") == keys("cba")


def test_ppm_ranks_the_longest_context_first() -> None:
    baselines = taught("abc" + "dbe" * 3 + "ab")
    assert baselines.rank("markov1")[0] == keys("e")[0]
    assert baselines.rank("ppm")[0] == keys("c")[0]


def test_frecency_weighs_counts_by_the_hours_since() -> None:
    assert [frecency(8, 3_600 * hours) for hours in (0.5, 2, 30, 200)] == [32, 16, 4, 2]
    baselines = taught("aaaaabbcd", hours=[*range(5), 100, 101, 102.5, 103])
    assert baselines.rank("frecency") == keys("dcba"), "4 and 4 of the last hour, 4 of the last day, 2.5 of the week"


def test_rank_leaves_out_one_key_and_fills_up() -> None:
    baselines = taught("abcdefaf")
    assert baselines.rank("mru", keys("f")[0]) == keys("aedcb")
    assert baselines.rank("markov1", keys("f")[0]) == keys("abcde")
    assert baselines.rank("frecency", keys("a")[0]) == keys("fedcb")


def test_rank_gives_at_most_five_different_candidates() -> None:
    baselines = taught("abcdefgabcdefg")
    for name in (*NAMES, "frecency"):
        ranking = baselines.rank(name)
        assert len(ranking) == len(set(ranking)) <= 5


def test_rank_without_events_is_empty() -> None:
    assert [Baselines().rank(name) for name in (*NAMES, "frecency")] == [[]] * 6
