"""Usage: from when an app gets the focus until it loses it or the person leaves."""

from datetime import UTC, datetime, timedelta

from collector.focus.tracker import Usage

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_usage_focus_change_ends_it() -> None:
    usage = Usage()
    assert usage.start("gedit", at(0)) == []
    assert usage.start("gedit", at(30)) == [], "another window of the same app"
    [ended] = usage.start("firefox", at(90))
    assert (ended.target, ended.detail, ended.at) == ("gedit", "90", at(90))


def test_usage_person_away_ends_it_once() -> None:
    usage = Usage()
    usage.start("gedit", at(0))
    [ended] = usage.stop(at(40))
    assert ended.detail == "40"
    assert usage.stop(at(80)) == []
    assert usage.start("gedit", at(100)) == []
    [back] = usage.stop(at(110))
    assert back.detail == "10"


def test_usage_shorter_than_minimum_is_dropped() -> None:
    usage = Usage()
    usage.start("gedit", at(0))
    assert usage.start("firefox", at(0.5)) == []
