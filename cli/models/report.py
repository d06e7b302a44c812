"""`memo report`: how often MEMO was right, day by day, as a picture or a page in one file."""

from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cli.models.report_figure import SHOWN, HitReport, draw, write_page
from cli.terminal.durations import parse_since
from cli.terminal.options import Force, option
from cli.terminal.output import output_file, print_text
from db.store_access import read_session
from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home
from memo.core.settings import Settings
from training.evaluation.served import FEWEST, LEARNED, compare, judge, read_acts, share_by_day

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MOST = 20_000  # newest acts that are read
KINDS = (".html", ".png")


def report(
    since: Annotated[str, option(metavar="30d|TIME", help="Only days since then.")] = "30d",
    out: Annotated[
        Path, option(metavar="FILE", help="A page (.html) or a picture (.png); by default report.html here.")
    ] = Path("report.html"),
    scope: Annotated[str | None, option(metavar="USER@HOST", help="Whose predictions; by default your own.")] = None,
    force: Force = False,
) -> None:
    """Draw how often the next app, site or folder was foreseen, day by day, compared with two simple rules.

    One rule is "most recent first", the other one "what most often followed". The file also shows changes of the
    version, trainings, how well probabilities matched what came, and seconds saved by handlers. It needs no other file,
    and names no app, site or file.
    """
    if out.suffix not in KINDS:
        raise UsageError(f"{out} is neither a page nor a picture; give --out a name that ends in .html or .png.")
    settings, home = Settings.load(), Home.find()
    start = parse_since(since, settings.zone, datetime.now(UTC))
    with read_session(settings, home) as session:
        found = collect(session, scope or settings.scope, start) if session else None
    if found is None:
        raise MemoError(
            f"There are fewer than {LEARNED + FEWEST} acts since {start:%Y-%m-%d}, too few to judge by; "
            "give an earlier --since, or use MEMO for some days first."
        )
    picture = draw(found)
    with output_file(out, force, binary=True) as file:
        file.write(picture if out.suffix == ".png" else write_page(found, picture))
    print_text(f"{out} shows {found.total.acts} acts of {found.scope}.")


def collect(session: "Session", scope: str, start: datetime) -> HitReport | None:
    """Return what was foreseen since a time; None if there are too few acts."""
    from db.dispatch import ledger
    from db.page.acts import ActFilter, find_acts

    judged = list(judge(read_acts(find_acts(session, scope, ActFilter(since=start), MOST))))
    total = compare(judged)
    if total is None:
        return None
    saved = defaultdict[date, float](float)
    for at, seconds in ledger.find_savings(session, scope, start):
        saved[at.astimezone().date()] += seconds
    return HitReport(scope, total, share_by_day(judged, *SHOWN), _find_events(session, scope, start), saved)


def _find_events(session: "Session", scope: str, start: datetime) -> list[tuple[date, str]]:
    from db.prediction import versions
    from db.upkeep import runs

    changes = [
        (datetime.fromisoformat(row.metrics["activated_at"]), f"{row.id} serves")
        for row in versions.find_versions(session, scope)
        if "activated_at" in row.metrics
    ]
    ended = [(at, f"training {state}") for at, state in runs.find_ended(session, runs.TRAIN, scope)]
    return sorted((at.astimezone().date(), words) for at, words in [*changes, *ended] if at >= start)
