from dataclasses import replace
from datetime import UTC, datetime, timedelta

from collector.privacy.rules import CachedRules, Rule, apply_to
from memo.core.events import Event, Operation


def event(target: str, operation: Operation = Operation.PROCESS_START) -> Event:
    return Event(datetime(2026, 3, 2, 9, tzinfo=UTC), operation, target)


def no_visits(event: Event) -> Event | None:
    return None if event.operation is Operation.WEB_VISIT else event


def no_digits(event: Event) -> Event | None:
    target = "".join("#" if letter.isdigit() else letter for letter in event.target)
    return event if target == event.target else replace(event, target=target)


def no_hashes(event: Event) -> Event | None:
    return None if "#" in event.target else event


def test_apply_to_changes_or_drops_and_names_the_rules() -> None:
    rules = (("visits", no_visits), ("digits", no_digits))
    assert apply_to(event("editor"), rules) == (event("editor"), [])
    assert apply_to(event("bank", Operation.WEB_VISIT), rules) == (None, ["visits"])
    assert apply_to(event("room 12"), rules) == (event("room ##"), ["digits"])


def test_apply_to_keeps_the_order() -> None:
    digits, hashes = ("digits", no_digits), ("hashes", no_hashes)
    assert apply_to(event("room 1"), (hashes, digits))[0] == event("room #")
    assert apply_to(event("room 1"), (digits, hashes))[0] is None


def test_apply_to_hides_dropped_events_from_later_rules() -> None:
    seen: list[Event] = []

    def watch(event: Event) -> Event | None:
        seen.append(event)
        return event

    rules: tuple[tuple[str, Rule], ...] = (("visits", no_visits), ("watch", watch))
    assert apply_to(event("bank", Operation.WEB_VISIT), rules)[0] is None
    assert apply_to(event("editor"), rules)[0] == event("editor")
    assert seen == [event("editor")]


def test_apply_to_without_rules_keeps_everything() -> None:
    assert apply_to(event("room 12"), ()) == (event("room 12"), [])


def test_cached_rules_do_as_the_rules_do() -> None:
    rules = (("visits", no_visits), ("digits", no_digits))
    cached, given = CachedRules(rules), [event("bank", Operation.WEB_VISIT), event("room 12"), event("shell\x00")]
    for hours in range(2):
        for one in (replace(event, at=event.at + timedelta(hours=hours)) for event in given):
            assert cached.apply_to(one, ()) == apply_to(one, rules)


def test_cached_rules_look_once_at_equal_events() -> None:
    seen: list[Event] = []

    def watch(event: Event) -> Event | None:
        seen.append(event)
        return event

    cached = CachedRules([("watch", watch)])
    others = [replace(event("editor"), source="plugin"), replace(event("editor"), executable="/bin/editor")]
    for one in (event("editor"), *others, event("editor")):
        assert cached.apply_to(one, ()) == (one, [])
    assert len(seen) == 3


def test_cached_rules_do_not_remember_what_they_touch() -> None:
    """A title with a secret, or of an excluded app, does not stay in memory."""
    seen: list[str] = []

    def watch(event: Event) -> Event | None:
        seen.append(event.target)
        return event

    cached = CachedRules([("watch", watch), ("visits", no_visits), ("digits", no_digits)])
    for _ in range(2):
        assert cached.apply_to(event("room 12"), ()) == (event("room ##"), ["digits"])
        assert cached.apply_to(event("bank", Operation.WEB_VISIT), ()) == (None, ["visits"])
    assert seen == ["room 12", "bank"] * 2


def test_cached_rules_apply_others_before() -> None:
    late = ("late", lambda event: event if event.at.hour < 10 else None)
    cached, given = CachedRules([("digits", no_digits)]), event("room 12")
    assert cached.apply_to(given, [late]) == (event("room ##"), ["digits"])
    assert cached.apply_to(replace(given, at=given.at + timedelta(hours=1)), [late]) == (None, ["late"])
