from datetime import UTC

import pytest

from memo.core.events import Action, Operation
from memo.core.grammar import parse
from training.evaluation import metrics
from training.evaluation.metrics import Key


def key(line: str) -> Key:
    return metrics.key(parse(f"2026-03-02 09:00:00 - {line}", UTC))


def test_key_has_a_usages_seconds_but_no_page_title() -> None:
    assert key("使用应用: A (时长: 3秒)") != key("使用应用: A (时长: 4秒)")
    assert key("访问网站 a.b 的页面 'x'") == key("访问网站 a.b")
    assert key("切换到窗口: T (应用: A)") != key("切换到窗口: T (应用: B)")
    assert key("Switched to window: T (app: A)").coarse == key("Switched to window: U (app: A)").coarse


def test_key_is_the_same_in_both_languages() -> None:
    assert key("启动应用: A") == key("Started app: A")


def test_score_ranks_gives_hits_and_mrr_at_five() -> None:
    scores = metrics.score_ranks([1, 2, None, 6])
    assert (scores["n"], scores["hit@1"], scores["hit@3"], scores["hit@5"]) == (4, 0.25, 0.5, 0.5)
    assert scores["mrr"] == (1 + 1 / 2) / 4


def test_score_ranks_without_ranks_raises() -> None:
    with pytest.raises(ValueError, match="nothing to score"):
        metrics.score_ranks([])


def test_score_exact_counts_partial_half() -> None:
    assert metrics.score_exact([1, 1, 2, None], [True, False, False, False]) == {
        "exact": 0.25,
        "partial": 0.25,
        "overall": 0.375,
    }


def test_ece_is_zero_where_probabilities_come_true() -> None:
    assert metrics.ece([(1.0, 1.0)] * 20) == 0
    assert metrics.ece([(1.0, 0.0)] * 20) == pytest.approx(1)
    assert metrics.ece([]) == 0


def test_interval_contains_the_mean_and_is_deterministic() -> None:
    values = [0.0, 1.0] * 50
    low, high = metrics.interval(values)
    assert low < 0.5 < high
    assert metrics.interval(values) == (low, high)


def test_interval_by_blocks_is_wider_for_alike_neighbours() -> None:
    values = [float(number // 10 % 2) for number in range(200)]
    (low, high), (block_low, block_high) = metrics.interval(values), metrics.interval(values, block=10)
    assert block_low < low < 0.5 < high < block_high
    assert metrics.interval([1.0, 1.0], block=10) == (1.0, 1.0)


def test_coarse_ranking_sums_probabilities() -> None:
    windows = [Key(Action(Operation.WINDOW_FOCUS, title, app)) for title, app in (("a", "X"), ("b", "Y"), ("c", "Y"))]
    ranking = metrics.coarse_ranking(zip(windows, (0.4, 0.3, 0.3), strict=True))
    assert list(ranking.items()) == [(windows[1].coarse, 0.6), (windows[0].coarse, 0.4)]
