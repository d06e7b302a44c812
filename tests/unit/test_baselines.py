from memo.core.events import Action, Operation
from training.evaluation.baselines import NAMES, Baselines
from training.evaluation.metrics import Key


def keys(text: str) -> list[Key]:
    return [Key(Action(Operation.PROCESS_START, name)) for name in text]


def taught(text: str) -> Baselines:
    baselines = Baselines()
    for key in keys(text):
        baselines.learn(key)
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


def test_rank_gives_at_most_five_different_candidates() -> None:
    baselines = taught("abcdefgabcdefg")
    for name in NAMES:
        ranking = baselines.rank(name)
        assert len(ranking) == len(set(ranking)) <= 5


def test_rank_without_events_is_empty() -> None:
    assert [Baselines().rank(name) for name in NAMES] == [[]] * 5
