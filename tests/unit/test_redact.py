from dataclasses import replace
from datetime import UTC, datetime

from collector.privacy.rules import Rule, apply_rules
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


def test_apply_rules_changes_drops_and_counts() -> None:
    given = [event("editor"), event("bank", Operation.WEB_VISIT), event("room 12"), event("shell")]
    kept, touched = apply_rules(given, (("visits", no_visits), ("digits", no_digits)))
    assert kept == [event("editor"), event("room ##"), event("shell")]
    assert touched == {"visits": 1, "digits": 1}


def test_apply_rules_keeps_the_order() -> None:
    digits, hashes = ("digits", no_digits), ("hashes", no_hashes)
    assert apply_rules([event("room 1")], (hashes, digits))[0] == [event("room #")]
    assert apply_rules([event("room 1")], (digits, hashes))[0] == []


def test_apply_rules_hides_dropped_events_from_later_rules() -> None:
    seen: list[Event] = []

    def watch(event: Event) -> Event | None:
        seen.append(event)
        return event

    rules: tuple[tuple[str, Rule], ...] = (("visits", no_visits), ("watch", watch))
    assert apply_rules([event("bank", Operation.WEB_VISIT), event("editor")], rules)[0] == [event("editor")]
    assert seen == [event("editor")]


def test_apply_rules_omits_rules_without_effect() -> None:
    kept, touched = apply_rules([event("editor")], (("visits", no_visits), ("digits", no_digits)))
    assert kept == [event("editor")]
    assert list(touched) == []


def test_apply_rules_without_rules_keeps_everything() -> None:
    assert apply_rules([event("room 12")], ()) == ([event("room 12")], {})
