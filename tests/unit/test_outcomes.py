from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.models import EventRow, PredictionRow
from memo.core.events import Action, Operation
from memo.core.predictions import action_as_dict
from worker.prediction.outcomes import is_act, judge

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
MAIL = Action(Operation.WINDOW_FOCUS, "Inbox", "Mail")
CODE = Action(Operation.WINDOW_FOCUS, "main.py", "Code")
SITE = Action(Operation.WEB_VISIT, "memo.example")
FILE = Action(Operation.FILE_ACCESS, "a.txt", "/home/ada")
OTHER_FILE = Action(Operation.FILE_ACCESS, "b.txt", "/home/ada")


def prediction(made_s: float = 0, *ranked: Action) -> PredictionRow:
    places: list[dict[str, Any]] = [
        {"operation": action.operation.value, "name": action.coarse.place or action.target} for action in ranked
    ]
    person = [{"action": action_as_dict(action)} for action in ranked]
    return PredictionRow(made_at=AT + timedelta(seconds=made_s), places=places, person=person, is_late=False)


def row(action: Action, seq: int, stored_s: float) -> EventRow:
    app, detail = (action.place, "") if action.operation is Operation.WINDOW_FOCUS else ("", action.place)
    return EventRow(
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


@pytest.mark.parametrize(
    ("action", "last", "expected"),
    [
        (MAIL, None, True),
        (MAIL, CODE, True),
        (MAIL, MAIL, False),
        (Action(Operation.WINDOW_FOCUS, "Another title", "Mail"), MAIL, False),
        (SITE, MAIL, True),
        (SITE, SITE, False),
        (OTHER_FILE, FILE, True),
        (Action(Operation.APP_USAGE, "Mail"), CODE, False),
        (Action(Operation.PROCESS_START, "Mail"), CODE, False),
    ],
)
def test_acts_are_what_a_person_newly_does(action: Action, last: Action | None, expected: bool) -> None:
    assert is_act(action, last) is expected


def test_the_newest_prediction_before_an_act_is_judged() -> None:
    older, newer = prediction(0, MAIL, CODE, SITE), prediction(1, MAIL, CODE, SITE)
    waiting, changed = judge([(older, 1), (newer, 2)], row(SITE, 3, stored_s=2), MAIL, is_live=True)
    assert (waiting, changed) == ([], [newer])
    assert (newer.person_event_id, newer.place_rank, newer.person_rank) == (103, 2, 2), "without the place left"
    assert older.person_event_id is None


def test_usage_lines_settle_nothing() -> None:
    shown = [(prediction(0, MAIL, CODE), 1)]
    assert judge(shown, row(Action(Operation.APP_USAGE, "Code"), 2, stored_s=2), MAIL, is_live=True) == (shown, [])


def test_a_prediction_made_after_its_act_is_late() -> None:
    seen, late = prediction(0, MAIL, CODE), prediction(5, CODE, MAIL)
    judge([(seen, 1), (late, 2)], row(CODE, 3, stored_s=4), MAIL, is_live=True)
    assert (late.is_late, late.person_event_id) == (True, None)
    assert (seen.is_late, seen.person_event_id, seen.place_rank) == (False, 103, 1)


def test_a_replay_knows_no_late_prediction() -> None:
    made = prediction(5, MAIL, CODE)
    judge([(made, 2)], row(CODE, 3, stored_s=4), MAIL, is_live=False)
    assert (made.is_late, made.place_rank) == (False, 1)


def test_another_thing_in_the_same_place_counts_it() -> None:
    made = prediction(0, FILE, OTHER_FILE)
    judge([(made, 1)], row(OTHER_FILE, 2, stored_s=1), FILE, is_live=True)
    assert (made.place_rank, made.person_rank) == (1, 2)


def test_an_act_that_was_not_listed_has_no_rank() -> None:
    made = prediction(0, MAIL, CODE)
    judge([(made, 1)], row(SITE, 2, stored_s=1), MAIL, is_live=True)
    assert (made.person_event_id, made.place_rank, made.person_rank) == (102, None, None)


def test_a_prediction_after_the_act_still_waits() -> None:
    later = prediction(9, MAIL)
    assert judge([(later, 5)], row(CODE, 3, stored_s=1), MAIL, is_live=True) == ([(later, 5)], [])
