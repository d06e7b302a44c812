"""A table of scores on the terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from memo.core.grammar import Language
from memo.display.text import describe

if TYPE_CHECKING:
    from rich.table import Table


def score_table(columns: Sequence[str], rows: Mapping[str, Sequence[Any]]) -> "Table":
    """Return rows by name as a table; None is an empty cell."""
    from rich.table import Column, Table

    table = Table(Column("", no_wrap=True), box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right")
    for name, values in rows.items():
        table.add_row(name, *(_cell(value) for value in values))
    return table


def hit_table(views: Mapping[str, Mapping[str, Mapping[str, Any]]], cuts: Sequence[int], language: Language) -> "Table":
    """Return each hit@k of each view, by the names of the model and the baselines, as a table."""
    columns = [f"{describe(view, language)} @{cut}" for view in views for cut in cuts]
    names = next(iter(views.values()), {})
    rows = {name: [scores[name][f"hit@{cut}"] for scores in views.values() for cut in cuts] for name in names}
    return score_table(columns, rows)


def _cell(value: float | int | str | None) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
