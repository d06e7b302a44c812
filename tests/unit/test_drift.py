"""Drift: when served predictions count as too bad."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from memo.core.events import Action, Operation
from training.drift import LEAST, LONG, find_drift, find_rise
from training.evaluation.served import LEARNED, ServedAct, judge

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
APPS = "abc"


def act(number: int, app: str, *listed: str, first: float = 0.6, version: str = "v0001") -> ServedAct:
    shares = [first, *[(1 - first) / max(1, len(listed) - 1)] * len(listed)]
    places = [
        {"operation": "window_focus", "name": name, "probability": share}
        for name, share in zip(listed, shares, strict=False)
    ]
    return ServedAct(START + timedelta(minutes=number), Action(Operation.WINDOW_FOCUS, "", app), places, version)


def in_turn(count: int, *listed_after: str, version: str = "v0001") -> list[ServedAct]:
    """Acts in three apps in turn; what is listed first is the next one, unless something else is given."""
    return [
        act(n, APPS[n % 3], *(listed_after or (APPS[n % 3], APPS[(n + 1) % 3])), version=version) for n in range(count)
    ]


def losses(seed: int, count: int, mean: float) -> list[float]:
    rng = random.Random(seed)
    return [max(0.0, rng.gauss(mean, 0.5)) for _ in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_a_steady_loss_never_counts_as_a_rise(seed: int) -> None:
    assert find_rise(losses(seed, 3_000, 1.5)) == 0


@pytest.mark.parametrize("seed", range(20))
def test_a_loss_that_falls_is_no_rise(seed: int) -> None:
    assert find_rise([*losses(seed, 500, 2.5), *losses(seed + 1, 500, 1.0)]) == 0


@pytest.mark.parametrize("seed", range(20))
def test_a_risen_loss_is_found_within_a_hundred_acts(seed: int) -> None:
    assert 1_000 < find_rise([*losses(seed, 1_000, 1.5), *losses(seed + 1, 500, 2.1)]) <= 1_100


def test_few_losses_tell_nothing() -> None:
    assert find_rise([0.0, 1.0] * (LEAST // 4) + [9.0] * (LEAST // 2)) == 0


def test_a_change_of_habits_is_named_with_its_time() -> None:
    acts = in_turn(LEARNED + 600)
    later = [act(len(acts) + n, "new", *APPS) for n in range(30)]
    found = find_drift(list(judge([*acts, *later])))
    assert "since 2026-03-02 2" in found and "foreseen worse than before" in found


def test_good_predictions_are_no_drift() -> None:
    assert find_drift(list(judge(in_turn(LEARNED + 2 * LONG)))) == ""


def test_a_rule_that_is_ahead_for_long_is_named() -> None:
    """Of three apps in turn the rule has the next one among its three; the predictions have it fourth."""
    acts = [act(n, APPS[n % 3], "x", "y", "z", APPS[n % 3]) for n in range(LEARNED + LONG)]
    assert "of place is below that of the rule mru" in find_drift(list(judge(acts)))
    assert find_drift(list(judge(acts[:-1]))) == "", "a rule that is ahead for a shorter time"


def test_only_acts_of_the_newest_version_count() -> None:
    bad = [act(n, APPS[n % 3], "x", "y", "z") for n in range(LEARNED + LONG)]
    assert find_drift(list(judge([*bad, *in_turn(10, version="v0002")]))) == ""
