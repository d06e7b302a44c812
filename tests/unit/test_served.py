"""How often the next place was foreseen, compared with the rule "the most recent place first"."""

from datetime import UTC, datetime

from memo.core.events import Action, Operation
from training.evaluation.served import FEWEST, LEARNED, ServedAct, compare, judge

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def act(name: str, places: dict[str, float]) -> ServedAct:
    listed = [{"operation": "window_focus", "name": name, "probability": p} for name, p in places.items()]
    return ServedAct(AT, Action(Operation.WINDOW_FOCUS, "title", name), listed, "builtin")


def test_the_rule_is_judged_on_the_same_acts() -> None:
    """Round three apps: the most recent one but the present is always the wrong one, and second is the right one."""
    rounds = [act("abc"[n % 3], {"abc"[n % 3]: 0.8}) for n in range(LEARNED + 90)]
    found = compare(list(judge(rounds)))
    assert found and (found.acts, found.first, found.three) == (90, 1.0, 1.0)
    assert (found.rule_first, found.rule_three) == (0.0, 1.0)
    assert all(came == 1.0 for _, came, _ in found.bins)


def test_a_probability_is_that_among_other_places() -> None:
    """The present place has .5, the next one .25 of the rest."""
    acts = [act("ab"[n % 2], {"ba"[n % 2]: 0.5, "x": 0.25}) for n in range(LEARNED + FEWEST)]
    found = compare(list(judge(acts)))
    assert found and (found.first, found.three) == (0.0, 0.0)
    assert {(said, came) for said, came, _ in found.bins} == {(0.5, 0.0)}


def test_few_acts_tell_nothing() -> None:
    assert compare(list(judge(act("ab"[n % 2], {}) for n in range(LEARNED + FEWEST - 1)))) is None
