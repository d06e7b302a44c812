"""The picture of `memo report`, and the page that holds it."""

import io
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from html import escape
from itertools import groupby
from typing import Any

from memo.core.errors import MemoError
from training.evaluation.evaluate import MODEL
from training.evaluation.served import RULES, Comparison, DailyShare

LINES = [  # name, color and style of each share
    (f"{name}, {depth}", color, style)
    for name, style in (("MEMO", "-"), ("most recent", ":"), ("Markov chain", "--"))
    for depth, color in (("first", "tab:blue"), ("among three", "tab:green"))
]
ABOVE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}  # what text is written on
BESIDE = {"rotation": 90, "fontsize": 8, "ha": "right", "bbox": ABOVE, "clip_on": True}  # text at a vertical line
HALF_DAY = timedelta(hours=12)
MOST_NAMED = 8  # days below an axis
SHOWN = (MODEL, *RULES)  # what the lines are of, two each
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>MEMO: {scope}</title>
<style>body{{font:1rem sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}}img{{max-width:100%}}
td,th{{text-align:right;padding:.1rem .8rem}}td:first-child,th:first-child{{text-align:left;white-space:nowrap}}</style>
<h1>How often MEMO was right</h1>
<p>{sentence}</p>
<img alt="{alt}" src="data:image/png;base64,{picture}">
<table><thead><tr><th>day</th><th>acts</th>{heads}<th>saved, s</th></tr></thead>
<tbody>{rows}</tbody></table>
{events}
</html>
"""


@dataclass(frozen=True, slots=True)
class HitReport:
    """What the file shows; `events` are changes of the version and trainings, by day."""

    scope: str
    total: Comparison
    days: list[DailyShare]
    events: list[tuple[date, str]]
    saved: dict[date, float]
    """Seconds that handlers saved."""


def draw(report: HitReport) -> bytes:
    """Return the picture as PNG. Raises MemoError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MemoError(f"`memo report` needs matplotlib; run `{sys.executable} -m pip install matplotlib`.") from error
    figure = Figure(figsize=(11, 9), layout="constrained")
    rates, calibration, saved = figure.subplot_mosaic("AA;AA;BC").values()
    _draw_rates(rates, report)
    said, came, _ = zip(*report.total.bins, strict=True) if report.total.bins else ((), (), ())
    calibration.plot([0, 1], [0, 1], color="grey", linestyle=":")
    calibration.plot(said, came, marker="o")
    calibration.set(
        title="how well probabilities matched what came", xlabel="probability", ylabel="share that came", aspect="equal"
    )
    _draw_saved(saved, report)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110)
    return file.getvalue()


def _draw_rates(panel: Any, report: HitReport) -> None:
    days = [one.day for one in report.days]
    for number, (name, color, style) in enumerate(LINES):
        panel.plot(days, [one.shares[number] for one in report.days], style, color=color, label=name, marker=".")
    for day, entries in groupby(report.events, key=lambda entry: entry[0]):
        panel.axvline(day, color="grey", linewidth=0.8)
        panel.annotate(_name_events([words for _, words in entries]), (day, 0.02), **BESIDE)
    panel.set(title=f"next app, site or folder, day by day: {report.total.acts} acts", ylim=(0, 1))
    panel.set_ylabel("share of acts")
    panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3)  # below, where no line can lie
    _mark_days(panel, sorted({*days, *(day for day, _ in report.events)}))


def _name_events(events: Sequence[str]) -> str:
    """Return the events of a day, each once; a training that fails is soon repeated."""
    numbers = Counter(events).items()
    return ", ".join(words if number == 1 else f"{words} {number} times" for words, number in numbers)


def _draw_saved(panel: Any, report: HitReport) -> None:
    panel.set(title="saved by handlers", ylabel="seconds")
    if report.saved:
        panel.bar(list(report.saved), list(report.saved.values()))
        _mark_days(panel, list(report.saved))
    else:
        panel.text(0.5, 0.5, "nothing yet", ha="center", color="dimgrey", transform=panel.transAxes)
        panel.set(xticks=[], yticks=[])


def _mark_days(panel: Any, days: Sequence[date]) -> None:
    """Show these days, and name some of them, each once."""
    first, last = (datetime.combine(day, time()) for day in (min(days), max(days)))
    panel.set_xlim(first - HALF_DAY, last + HALF_DAY)
    named = days[:: len(days) // MOST_NAMED + 1]
    panel.set_xticks(named, [f"{day:%m-%d}" for day in named])


def write_page(report: HitReport, picture: bytes) -> bytes:
    """Return an HTML page that needs no other file."""
    total = report.total
    sentence = (
        f"In {total.acts} acts of {report.scope} the next app, site or folder was first in {total.first:.0%}, and "
        f'among the first three in {total.three:.0%}. The rule "most recent first" has {total.rule_first:.0%} and '
        f"{total.rule_three:.0%}."
    )
    events = "".join(f"<li>{day}: {escape(words)}</li>" for day, words in report.events)
    return PAGE.format(
        scope=escape(report.scope),
        sentence=escape(sentence),
        alt=escape(sentence),
        picture=b64encode(picture).decode("ascii"),
        heads="".join(f"<th>{name}</th>" for name, _, _ in LINES),
        rows="\n".join(_row(report, number) for number in range(len(report.days) - 1, -1, -1)),
        events=f"<ul>{events}</ul>" if events else "",
    ).encode()


def _row(report: HitReport, number: int) -> str:
    one = report.days[number]
    shares = [f"{share:.0%}" for share in one.shares]
    cells = [str(one.day), str(one.acts), *shares, f"{report.saved.get(one.day, 0.0):.1f}"]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
