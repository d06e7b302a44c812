"""An app is used from the time it has the focus until it loses it, or nobody is there."""

from datetime import UTC, datetime, timedelta

from collector.focus.usage import Usage

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_change_of_focus_ends_a_usage() -> None:
    usage = Usage()
    assert usage.focused("gedit", at(0)) is None
    assert usage.focused("gedit", at(30)) is None, "another window of the same app"
    ended = usage.focused("firefox", at(90))
    assert ended is not None and (ended.target, ended.detail, ended.at) == ("gedit", "90", at(90))


def test_nobody_there_ends_a_usage_once() -> None:
    usage = Usage()
    usage.focused("gedit", at(0))
    ended = usage.left(at(40))
    assert ended is not None and ended.detail == "40"
    assert usage.left(at(80)) is None
    assert usage.focused("gedit", at(100)) is None
    back = usage.left(at(110))
    assert back is not None and back.detail == "10"


def test_what_was_passed_over_is_no_usage() -> None:
    usage = Usage()
    usage.focused("gedit", at(0))
    assert usage.focused("firefox", at(0.5)) is None
