"""Charts as numbers for SVG: the templates draw them, so that names in them are escaped."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from memo.core.events import Operation

LONGEST = timedelta(minutes=15)  # an act without a next one counts as this long at most
LANES = 8  # apps and sites with a line of their own
DAY_S = 86_400
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2999, 12, 31)  # days beyond these are refused: time ends at year 9999


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay in an app or at a site; `is_foreseen` if its place was among the first three predicted."""

    name: str
    begin: datetime
    length: timedelta
    is_foreseen: bool


def parse_day(given: str) -> date:
    """Return the day that a text states. Raises ValueError for another text, and beyond the days that are counted."""
    day = date.fromisoformat(given)
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError
    return day


def day_span(day: date, zone: tzinfo, days: int = 1) -> tuple[datetime, datetime]:
    """Return begin and end of a day, or of several days, the last of which it is."""
    first, after = day - timedelta(days=days - 1), day + timedelta(days=1)
    return datetime.combine(first, time(), zone), datetime.combine(after, time(), zone)


def name_place(event: Any) -> str:
    """Return the app or the site of an event or of its row."""
    return str(event.target if event.operation == Operation.WEB_VISIT else event.app or event.target)


def as_stays(acts: Sequence[tuple[str, datetime, bool]]) -> list[Stay]:
    """Return the stays that acts make, each act lasting until the next one; acts are name, time and foresight."""
    ends = [at for _, at, _ in acts[1:]] + [acts[-1][1] + LONGEST] if acts else []
    return [Stay(name, at, min(end - at, LONGEST), seen) for (name, at, seen), end in zip(acts, ends, strict=True)]


def top(stays: Sequence[Stay]) -> list[tuple[str, timedelta]]:
    """Return the names with the longest stays, the longest first."""
    total = Counter[str]()
    for stay in stays:
        total[stay.name] += round(stay.length.total_seconds())
    return [(name, timedelta(seconds=seconds)) for name, seconds in total.most_common(LANES)]


def as_hours(length: timedelta) -> str:
    """Return a length in hours, minutes and seconds, also one of more than a day."""
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def timeline(stays: Sequence[Stay], midnight: datetime) -> dict[str, list[dict[str, float | str | bool]]]:
    """Return for each of the top names its bars, as permille of the day."""
    lanes: dict[str, list[dict[str, float | str | bool]]] = {name: [] for name, _ in top(stays)}
    for stay in stays:
        if stay.name in lanes:
            x = (stay.begin - midnight).total_seconds() / DAY_S * 1000
            width = max(stay.length.total_seconds() / DAY_S * 1000, 1.5)
            lanes[stay.name].append({"x": round(x, 2), "width": round(width, 2), "is_foreseen": stay.is_foreseen})
    return lanes


def heat(stays: Sequence[Stay]) -> list[list[float]]:
    """Return for each weekday (from Monday) and hour the number of stays, as a share of the largest such number."""
    counts = Counter((stay.begin.weekday(), stay.begin.hour) for stay in stays)
    most = max(counts.values(), default=1)
    return [[round(counts[day, hour] / most, 3) for hour in range(24)] for day in range(7)]


def line(shares: Sequence[float]) -> str:
    """Return the points of a line through shares of 1, for a field of 1000 by 100."""
    step = 1000 / max(len(shares) - 1, 1)
    return " ".join(f"{number * step:.1f},{100 - share * 100:.1f}" for number, share in enumerate(shares))


def points(bins: Sequence[tuple[float, float, int]]) -> list[tuple[float, float]]:
    """Return the bins of a calibration as points in a field of 100 by 100: what was said, and upwards what came."""
    return [(round(said * 100, 1), round(100 - came * 100, 1)) for said, came, _ in bins]
