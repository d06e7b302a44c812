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


def test_each_ranks_by_its_own_rule() -> None:
    baselines = taught("aabcab")
    assert baselines.rank("repeat") == keys("b")
    assert baselines.rank("mru") == keys("bac")
    assert baselines.rank("mfu") == keys("abc")
    assert baselines.rank("markov1") == keys("cab")
    assert baselines.rank("ppm") == keys("cba")


def test_the_longest_context_counts_first() -> None:
    baselines = taught("abc" + "dbe" * 3 + "ab")
    assert baselines.rank("markov1")[0] == keys("e")[0]
    assert baselines.rank("ppm")[0] == keys("c")[0]


def test_five_candidates_at_most_each_once() -> None:
    baselines = taught("abcdefgabcdefg")
    for name in NAMES:
        ranking = baselines.rank(name)
        assert len(ranking) == len(set(ranking)) <= 5


def test_nothing_learned_gives_nothing() -> None:
    assert [Baselines().rank(name) for name in NAMES] == [[]] * 5
