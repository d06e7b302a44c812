from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.intake.events import LogEntry
from db.models import PredictionRow
from memo.core.events import Action, Operation
from memo.core.predictions import HORIZON_S, action_as_dict, wanted
from worker.prediction.outcomes import Shown, UnjudgedByActs, UnjudgedByWants, is_act

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
MAIL = Action(Operation.WINDOW_FOCUS, "Inbox", "Mail")
OTHER_MAIL = Action(Operation.WINDOW_FOCUS, "Another title", "Mail")
CODE = Action(Operation.WINDOW_FOCUS, "main.py", "Code")
SITE = Action(Operation.WEB_VISIT, "memo.example")
FILE = Action(Operation.FILE_ACCESS, "a.txt", "/home/ada")
OTHER_FILE = Action(Operation.FILE_ACCESS, "b.txt", "/home/ada")


def prediction(made_s: float = 0, *ranked: Action) -> PredictionRow:
    places: list[dict[str, Any]] = [
        {"operation": action.operation.value, "name": action.coarse.place or action.target} for action in ranked
    ]
    listed = {
        "person": [{"action": action_as_dict(action)} for action in ranked],
        "upcoming": [{"action": action_as_dict(wanted(action))} for action in ranked],
    }
    return PredictionRow(made_at=AT + timedelta(seconds=made_s), places=places, is_late=False, **listed)


def row(action: Action, seq: int, stored_s: float) -> LogEntry:
    app, detail = (action.place, "") if action.operation is Operation.WINDOW_FOCUS else ("", action.place)
    return LogEntry(
        id=100 + seq,
        seq=seq,
        at=AT,
        utc_offset_s=0,
        operation=action.operation.value,
        target=action.target,
        app=app,
        detail=detail,
        scope="ada@host",
        source="test",
        source_key="",
        executable="",
        stored_at=AT + timedelta(seconds=stored_s),
    )


def unjudged(*waiting: tuple[PredictionRow, int], is_live: bool = True) -> UnjudgedByActs:
    return UnjudgedByActs(lambda: [(made, seq, AT) for made, seq in waiting], is_live)


def unwanted(*waiting: tuple[PredictionRow, int], is_live: bool = True) -> UnjudgedByWants:
    return UnjudgedByWants(lambda: [(made, seq, AT) for made, seq in waiting], is_live)


def used(*actions: Action) -> Callable[[Action], bool]:
    return lambda action: wanted(action) in map(wanted, actions)


@pytest.mark.parametrize(
    ("action", "last", "focused", "expected"),
    [
        (MAIL, None, None, True),
        (MAIL, CODE, CODE, True),
        (MAIL, MAIL, MAIL, False),
        (OTHER_MAIL, MAIL, MAIL, False),
        (OTHER_MAIL, FILE, MAIL, False),
        (OTHER_MAIL, SITE, CODE, True),
        (SITE, MAIL, MAIL, True),
        (SITE, SITE, MAIL, False),
        (SITE, None, None, True),
        (OTHER_FILE, FILE, CODE, True),
        (Action(Operation.APP_USAGE, "Mail"), CODE, CODE, False),
        (Action(Operation.PROCESS_START, "Mail"), CODE, CODE, False),
    ],
)
def test_acts_are_what_a_person_newly_does(
    action: Action, last: Action | None, focused: Action | None, expected: bool
) -> None:
    assert is_act(action, last, focused) is expected


def test_the_newest_prediction_before_an_act_is_judged() -> None:
    older, newer = prediction(0, MAIL, CODE, SITE), prediction(1, MAIL, CODE, SITE)
    assert unjudged((older, 1), (newer, 2)).judge(row(SITE, 3, stored_s=2), MAIL, MAIL) == [newer]
    assert (newer.person_event_id, newer.place_rank, newer.person_rank) == (103, 2, 2), "without the place left"
    assert older.person_event_id is None


def test_one_prediction_is_judged_by_one_act() -> None:
    shown = unjudged((prediction(0, MAIL, CODE, SITE), 1))
    assert shown.judge(row(SITE, 2, stored_s=2), MAIL, MAIL)
    assert shown.judge(row(CODE, 3, stored_s=3), SITE, MAIL) == []


def test_usage_lines_settle_nothing_and_read_nothing() -> None:
    def find() -> Shown:
        raise AssertionError("read, although there is no act")

    shown = UnjudgedByActs(find, is_live=True)
    assert shown.judge(row(Action(Operation.APP_USAGE, "Code"), 2, stored_s=2), MAIL, MAIL) == []
    assert shown.judge(row(OTHER_MAIL, 3, stored_s=3), FILE, MAIL) == []


def test_what_is_stored_is_read_once() -> None:
    found: list[Shown] = [[(prediction(0, MAIL, CODE), 1, AT)]]
    shown = UnjudgedByActs(found.pop, is_live=True)
    assert len(shown.judge(row(CODE, 2, stored_s=2), MAIL, MAIL)) == 1
    shown.add(prediction(3, MAIL, CODE), row(CODE, 2, stored_s=2))
    assert len(shown.judge(row(MAIL, 3, stored_s=4), CODE, CODE)) == 1
    assert not found


def test_a_prediction_made_after_its_act_is_late() -> None:
    seen, late = prediction(0, MAIL, CODE), prediction(5, CODE, MAIL)
    unjudged((seen, 1), (late, 2)).judge(row(CODE, 3, stored_s=4), MAIL, MAIL)
    assert (late.is_late, late.person_event_id) == (True, None)
    assert (seen.is_late, seen.person_event_id, seen.place_rank) == (False, 103, 1)


def test_a_replay_knows_no_late_prediction() -> None:
    made = prediction(5, MAIL, CODE)
    unjudged((made, 2), is_live=False).judge(row(CODE, 3, stored_s=4), MAIL, MAIL)
    assert (made.is_late, made.place_rank) == (False, 1)


def test_another_thing_in_the_same_place_counts_it() -> None:
    made = prediction(0, FILE, OTHER_FILE)
    unjudged((made, 1)).judge(row(OTHER_FILE, 2, stored_s=1), FILE, MAIL)
    assert (made.place_rank, made.person_rank) == (1, 2)


def test_an_act_that_was_not_listed_has_no_rank() -> None:
    made = prediction(0, MAIL, CODE)
    unjudged((made, 1)).judge(row(SITE, 2, stored_s=1), MAIL, MAIL)
    assert (made.person_event_id, made.place_rank, made.person_rank) == (102, None, None)


def test_a_prediction_after_the_act_still_waits() -> None:
    later = prediction(9, MAIL, SITE)
    shown = unjudged((later, 5))
    assert shown.judge(row(CODE, 3, stored_s=1), MAIL, MAIL) == []
    assert shown.judge(row(SITE, 6, stored_s=10), CODE, CODE) == [later]


def test_the_next_thing_wanted_judges_the_newest_prediction() -> None:
    older, newer = prediction(0, MAIL, SITE), prediction(1, SITE, MAIL)
    assert unwanted((older, 1), (newer, 2)).judge(row(OTHER_MAIL, 3, stored_s=2), used(CODE)) == [newer]
    assert (newer.upcoming_event_id, newer.upcoming_rank) == (103, 2), "another title is the same app"
    assert older.upcoming_event_id is None


def test_what_is_in_use_judges_nothing_upcoming() -> None:
    made = prediction(0, MAIL, SITE)
    shown = unwanted((made, 1))
    assert shown.judge(row(OTHER_MAIL, 2, stored_s=1), used(MAIL)) == []
    assert shown.judge(row(Action(Operation.PROCESS_END, "Mail"), 3, stored_s=2), used()) == []
    assert shown.judge(row(SITE, 4, stored_s=3), used(MAIL)) == [made]
    assert made.upcoming_rank == 2


def test_a_thing_wanted_that_was_not_listed_has_no_rank() -> None:
    made = prediction(0, MAIL)
    assert unwanted((made, 1)).judge(row(FILE, 2, stored_s=1), used(CODE)) == [made]
    assert (made.upcoming_event_id, made.upcoming_rank) == (102, None)


@pytest.mark.parametrize(("after_s", "judged"), [(HORIZON_S, 1), (HORIZON_S + 1, 0), (-1, 0)])
def test_a_thing_wanted_counts_within_the_horizon(after_s: int, judged: int) -> None:
    came = row(SITE, 2, stored_s=HORIZON_S)
    came = came._replace(at=AT + timedelta(seconds=after_s))
    shown = unwanted((prediction(0, SITE), 1))
    assert len(shown.judge(came, used())) == judged
    assert shown.judge(row(MAIL, 3, stored_s=HORIZON_S), used()) == [], "superseded either way"


def test_a_prediction_made_after_its_want_does_not_count() -> None:
    seen, late = prediction(0, SITE, CODE), prediction(5, CODE, SITE)
    assert unwanted((seen, 1), (late, 2)).judge(row(CODE, 3, stored_s=4), used()) == [seen]
    assert (late.is_late, late.upcoming_event_id, seen.upcoming_rank) == (False, None, 2)
    assert unwanted((late, 2), is_live=False).judge(row(CODE, 3, stored_s=4), used()) == [late], "a replay"
