from datetime import UTC, datetime, timedelta

from ui.charts import LONGEST, as_hours, as_stays, heat, timeline, top

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
ACTS = [("editor", MONDAY + timedelta(hours=6), True), ("mail", MONDAY + timedelta(hours=6, minutes=6), False)]


def test_an_act_lasts_until_the_next_one() -> None:
    first, last = as_stays(ACTS)
    assert (first.length, last.length) == (timedelta(minutes=6), LONGEST)
    assert as_stays([]) == []


def test_the_longest_stays_come_first() -> None:
    assert top(as_stays(ACTS)) == [("mail", LONGEST), ("editor", timedelta(minutes=6))]


def test_bars_lie_where_they_were_in_the_day() -> None:
    assert timeline(as_stays(ACTS), MONDAY)["editor"] == [{"x": 250.0, "width": 4.17, "is_foreseen": True}]


def test_the_busiest_hour_is_the_darkest() -> None:
    shown = heat(as_stays([*ACTS, ("editor", MONDAY + timedelta(hours=9), False)]))
    assert (shown[0][6], shown[0][9], shown[1][6]) == (1.0, 0.5, 0.0)


def test_a_length_of_days_is_in_hours() -> None:
    assert as_hours(timedelta(days=1, hours=2, minutes=3, seconds=4)) == "26:03:04"
    assert as_hours(timedelta(seconds=59)) == "0:00:59"
