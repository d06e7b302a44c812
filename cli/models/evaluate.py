"""`memo evaluate`: scores of the model and the baselines side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cli.models import person_tables
from cli.models.score_table import hit_table, score_table
from cli.terminal.options import Force, Json, argument, option
from cli.terminal.output import console, print_json, print_text
from cli.terminal.progress import progress_bar
from db.store_access import read_session
from memo.core.errors import UsageError
from memo.core.grammar import Language
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.display.text import describe, safe

if TYPE_CHECKING:
    from training.evaluation.report import Fit

HITS = ("hit@1", "hit@3", "hit@5")
SCORES = ("mrr", "exact", "partial", "overall", "ece", "malformed")
CUTS = (1, 5)  # hit@k of the other views


def evaluate(
    files: Annotated[list[Path], argument(metavar="FILE", help="Files of events or windows.", readable=False)],
    version: Annotated[
        str | None,
        option(
            metavar="VERSION",
            help="For the next event of any kind, use this version, or 'builtin', instead of one trained on this FILE.",
        ),
    ] = None,
    out: Annotated[
        Path | None, option(metavar="PATH", help="Folder or .csv file for the answers (prediction_results.csv).")
    ] = None,
    force: Force = False,
    plot: Annotated[Path | None, option(metavar="FILE.png", help="Draw a reliability diagram.")] = None,
    as_json: Json = False,
) -> None:
    """Score MEMO and simple rules (baselines) on each FILE, which holds the events of one person.

    The first tables are about what the person does next: the action; its app, site or folder; and the next other app,
    site or folder. At most the last 40 % of the person's actions are predicted, without a language model. The tables
    after them are about the next event of any kind: MEMO trains a version on the first 80 % of the windows (short runs
    of events) and predicts the others in order.
    """
    from memo.core import logs
    from training.evaluation import evaluate as evaluation
    from training.evaluation import questions, reliability, report, results

    settings, home = Settings.load(), Home.find()
    logs.setup(home.logs, "cli")
    destination = _check(files, out, plot, force)
    fit = _fit(version, settings, home)
    reports: list[dict[str, Any]] = []
    rows: list[results.Result] = []
    everything: list[evaluation.Judged] = []
    for file in files:
        asked = questions.from_file(file, settings.zone, settings.window.size, settings.language)
        person = report.report_person(questions.stream(asked), settings.window.size, progress_bar)
        found, judged = report.report(asked, fit, progress_bar)
        reports.append({"file": file.name, "person": person, **found})
        everything += judged
        rows += evaluation.as_results(judged, found["best_baseline"])
    results.write_results(rows, destination)
    if plot is not None:
        reliability.draw(everything, plot)
    if as_json:
        print_json({"protocol": "chrono", "leaks": False, "files": reports})
    else:
        _show(reports, settings.language)
        print_text(describe("Each answer is in {}.", settings.language).format(destination))


def _check(files: list[Path], out: Path | None, plot: Path | None, force: bool) -> Path:
    """Return the destination. Raises MemoError before the first evaluation for a file that can't be read or written."""
    from data.importers import form
    from training.evaluation.results import choose_destination

    for file in files:
        form(file)
    destination = choose_destination(out, force)
    if plot is not None and (plot.suffix != ".png" or (plot.exists() and not force)):
        raise UsageError(f"{plot} already exists, or its name does not end with .png; name another, or add --force.")
    return destination


def _fit(version: str | None, settings: Settings, home: Home) -> "Fit":
    from db.prediction import versions
    from training.evaluation import report

    if version is None:
        return report.fresh(settings)
    if version == versions.BUILTIN:
        return report.existing(settings, version, None)
    with read_session(settings, home) as session:
        if session is None:
            raise UsageError(f"There is no version {version}, since there is no store yet; see `memo train`.")
        return report.existing(settings, version, home.version(versions.find_version(session, version).path))


def _show(reports: list[dict[str, Any]], language: Language) -> None:
    terminal = console()
    for found in reports:
        file = safe(found["file"])
        terminal.print(f"\n{file}, {describe('what you do next', language)}", markup=False, highlight=False)
        person_tables.show(terminal, found["person"], language)
        title = describe("{}, version {}, {} windows", language).format(file, found["version"], found["n"])
        terminal.print(f"\n{title}", markup=False, highlight=False)
        rows = {name: [scores.get(column) for column in (*HITS, *SCORES)] for name, scores in found["scores"].items()}
        terminal.print(score_table((*HITS, *(describe(name, language) for name in SCORES)), rows))
        terminal.print(hit_table(found["views"], CUTS, language))
        if found["upcoming"]:
            precision = {name: [scores["ap"]] for name, scores in found["upcoming"].items()}
            terminal.print(score_table((describe("upcoming ap", language),), precision))
