"""`memo evaluate`: model and baselines side by side."""

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.terminal.progress import progress_bar
from cli.terminal.store_access import read_session
from memo.core.errors import UsageError
from memo.core.paths import Home
from memo.core.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LEAKS = "random split of overlapping windows, which LEAKS: no measure of prediction, only for comparison with the like"
COLUMNS = ("hit@1", "hit@3", "hit@5", "mrr", "exact", "partial", "overall", "ece", "malformed")
CUTS = (1, 5)
"""Of the other views."""


class Division(StrEnum):
    """The names of the protocols."""

    CHRONO = "chrono"
    RANDOM = "random"


def evaluate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", readable=False, show_default=False)],
    protocol: Annotated[
        Division,
        typer.Option(
            help="chrono: the first 80 % train, the rest is asked in order. random: the old way, which leaks."
        ),
    ] = Division.CHRONO,
    version: Annotated[
        str | None, typer.Option(help="Judge this version ('builtin' too) instead of a fresh one.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where prediction_results.csv goes: a folder, or a .csv file.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Take parts of the predictor away, one by one, to see what each earns.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw how true the probabilities are.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Score model and baselines on the windows of each FILE, each a person of their own."""
    from data.importers import form
    from memo.core import logs
    from training.evaluation import evaluate as evaluation
    from training.evaluation import questions, reliability, report, results

    settings, home = Settings.load(), Home.find()
    logs.setup(home.logs, "cli")
    for file in files:
        form(file)  # all are looked at before the first is asked
    destination = results.destination(out, force)
    if plot is not None and (plot.suffix != ".png" or (plot.exists() and not force)):
        raise UsageError(f"{plot} is there already, or no name of a PNG file; name another .png, or add --force.")
    fit = (
        report.fresh(settings)
        if version is None
        else report.existing(settings, version, _folder(version, settings, home))
    )
    reports: list[dict[str, Any]] = []
    rows: list[results.Result] = []
    everything: list[evaluation.Judged] = []
    for file in files:
        asked = questions.from_file(file, settings.zone, settings.window.size, settings.language)
        found, judged = report.report(asked, report.Protocol(protocol), fit, settings.zone, progress_bar, ablate)
        reports.append({"file": file.name, **found})
        everything += judged
        rows += evaluation.results(judged, found["best_baseline"])
    results.write(rows, destination)
    if plot is not None:
        reliability.draw(everything, plot)
    if as_json:
        print(json.dumps({"protocol": protocol, "leaks": protocol is Division.RANDOM, "files": reports}))
    else:
        _show(reports, protocol)
        print(f"Each answer stands in {destination}.")


def _folder(version: str, settings: Settings, home: Home) -> Path | None:
    from db.prediction import versions

    if version == versions.BUILTIN:
        return None
    with read_session(settings, home) as session:
        if session is None:
            raise UsageError(f"There is no version {version}, for there is no store yet; see `memo train`.")
        return Path(versions.find_version(session, version).path)


def _show(reports: list[dict[str, Any]], protocol: Division) -> None:
    from rich.console import Console

    console = Console()
    for found in reports:
        title = f"{found['file']}, version {found['version']}, {protocol}, {found['n']} windows"
        console.print(f"\n{title}", markup=False, highlight=False)
        if protocol is Division.RANDOM:
            console.print(LEAKS)
        console.print(
            _table(COLUMNS, {name: [scores.get(c) for c in COLUMNS] for name, scores in found["scores"].items()})
        )
        views = found["views"]
        columns = [f"{view} @{cut}" for view in views for cut in CUTS]
        rows = {
            name: [views[view][name][f"hit@{cut}"] for view in views for cut in CUTS]
            for name in next(iter(views.values()), {})
        }
        console.print(_table(columns, rows))
        if found["upcoming"]:
            precision = {name: [scores["ap"]] for name, scores in found["upcoming"].items()}
            console.print(_table(("upcoming ap",), precision))
        if "ablation" in found:
            _show_ablation(console, found)


def _show_ablation(console: "Console", found: dict[str, Any]) -> None:
    """What is left without a part, and what the language model earns."""
    views = ("next", *found["views"])
    columns = [*(f"{view} @{cut}" for view in views for cut in CUTS), "overall", "ece", "upcoming ap"]
    whole = {"next": found["scores"]["memo"]} | {view: found["views"][view]["memo"] for view in views[1:]}
    left = {"memo": {"scores": whole, "upcoming": found["upcoming"].get("memo")}} | found["ablation"]
    rows = {
        name: [
            *(part["scores"][view][f"hit@{cut}"] for view in views for cut in CUTS),
            part["scores"]["next"]["overall"],
            part["scores"]["next"]["ece"],
            part["upcoming"] and part["upcoming"]["ap"],
        ]
        for name, part in left.items()
    }
    console.print(_table(columns, rows))
    earned = found["ablation"]["history alone"]["ahead"]
    for view in views:
        of_view = earned[view]["hit@1"]
        low, high = of_view["95"]
        console.print(f"the language model earns {of_view['difference']:+.3f} [{low:+.3f}, {high:+.3f}] of {view} @1")


def _table(columns: Sequence[str], rows: dict[str, list[Any]]) -> "Table":
    from rich.table import Table

    table = Table("", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right")
    for name, values in rows.items():
        table.add_row(name, *(_cell(value) for value in values))
    return table


def _cell(value: float | int | None) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
