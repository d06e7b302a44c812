"""How well the person's next action, place and switch are predicted, as `memo evaluate` shows it."""

from typing import TYPE_CHECKING, Any

from cli.models.score_table import hit_table, score_table
from memo.core.grammar import Language
from memo.display.text import describe

if TYPE_CHECKING:
    from rich.console import Console

    Scores = dict[str, dict[str, Any]]
    """View -> its scores, as `training.evaluation.person_scores` gives them."""

CUTS = (1, 3, 5)
_RULES: dict[str, tuple[str, str]] = {
    "mru": ("the most recent first", "最近用过的在前"),
    "mfu": ("the most frequent first", "最常用的在前"),
    "markov1": ("what most often followed the last one", "上一个之后最常出现的在前"),
    "ppm": ("what followed the last few", "最近几个之后出现过的在前"),
    "frecency": ("the frequent and recent first", "常用且最近用过的在前"),
}
_SENTENCE: dict[Language, str] = {
    "en": "When you went to another app, site or folder, MEMO had ranked it first in {first} %, among the first three "
    "in {third} % of the cases; the best simple rule in {rule_first} % ({rule_first_name}) and {rule_third} % "
    "({rule_third_name}).",
    "zh": "你切换到另一个应用、网站或文件夹时，它在预测中排第一位的占 {first}%，排在前三位的占 {third}%；"
    "最好的简单规则分别是 {rule_first}%（{rule_first_name}）和 {rule_third}%（{rule_third_name}）。",
}
_WITHOUT_MODEL: dict[Language, str] = {
    "en": "The language model takes no part in these answers: mixed in, it improves nothing (docs/benchmarks.md).",
    "zh": "语言模型不参与这些回答：混入它并无收益（docs/benchmarks.md）。",
}
_TOO_FEW: dict[Language, str] = {
    "en": "{view}: {n} questions are too few for figures; {fewest} are needed.",
    "zh": "{view}：{n} 个问题太少，得不出数字；至少需要 {fewest} 个。",
}


def show(console: "Console", scores: "Scores", language: Language) -> None:
    """Print the tables of the views with enough questions, and the sentences."""
    from training.evaluation.person_scores import FEWEST

    enough = {view: found for view, found in scores.items() if "scores" in found}
    if enough:
        console.print(hit_table({view: found["scores"] for view, found in enough.items()}, CUTS, language))
        console.print(_calibration_and_gains(enough, language))
    for view, found in scores.items():
        if view not in enough:
            words = _TOO_FEW[language].format(view=describe(view, language), n=found["n"], fewest=FEWEST)
            console.print(words, highlight=False)
    if "switch" in enough:
        console.print(sentence(enough["switch"], language), highlight=False)
    if enough:
        console.print(_WITHOUT_MODEL[language], highlight=False)


def sentence(found: dict[str, Any], language: Language) -> str:
    """Return the hit rates of the view `switch`, and those of the best rules, as a sentence."""
    figures: dict[str, Any] = {}
    for name, metric in (("first", "hit@1"), ("third", "hit@3")):
        rule = found["ahead"][metric]["baseline"]
        figures[name] = round(100 * found["scores"]["memo"][metric])
        figures[f"rule_{name}"] = round(100 * found["scores"][rule][metric])
        figures[f"rule_{name}_name"] = _RULES[rule][language == "zh"]
    return _SENTENCE[language].format(**figures)


def _calibration_and_gains(enough: "Scores", language: Language) -> Any:
    rows = {}
    for view, found in enough.items():
        memo = found["scores"]["memo"]
        gains = [_gain(found["ahead"][f"hit@{cut}"]) for cut in CUTS[:2]]
        rows[describe(view, language)] = [found["n"], memo["log_loss"], memo["ece"], *gains]
    ahead = describe("ahead of", language)
    headings = [describe(name, language) for name in ("questions", "log-loss", "ece")]
    return score_table([*headings, *(f"@{cut} {ahead}" for cut in CUTS[:2])], rows)


def _gain(found: dict[str, Any]) -> str:
    low, high = found["95"]
    return f"{found['difference']:+.3f} [{low:+.3f}, {high:+.3f}] {found['baseline']}"
