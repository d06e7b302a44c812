"""The list of `memo pick`: the place before this one, then the likeliest things that are not in use."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from collector.privacy.rules import apply_to, make_rules
from db.intake import events
from db.models import PredictionRow
from db.prediction import feedback, predictions
from memo.core.errors import MemoError
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.predictions import action_from_dict, in_use, place_from_dict, place_of, wanted
from memo.core.settings import Settings
from memo.core.system_zone import local_now
from worker.effects.seen_before import NotSeenBefore, check_seen

LINES = 8
DONE = 50  # latest actions, which say what is in use and what was in use before
LIKELY = 0.02  # a place with a smaller probability comes after what is upcoming


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that can be picked; `probability` is that of its place or, if it is upcoming, its own."""

    action: Action
    probability: float | None = None  # None for the previous place, which is not offered because it is likely

    @property
    def thing(self) -> Action:
        """What the line stands for; an app is one thing, whether a window of it is focused or it is started."""
        return _thing(self.action)


@dataclass(frozen=True, slots=True)
class Offer:
    """The choices, best first, and the prediction that they are from."""

    prediction: PredictionRow
    choices: list[Choice]


def make_offer(session: Session, settings: Settings, home: Home) -> Offer:
    """Return what can be picked now. Raises MemoError if nothing was predicted yet."""
    newest = predictions.find_newest(session, settings.scope)
    if newest is None:
        raise MemoError("MEMO has predicted nothing yet; start it with `memo up`, and use the machine for a while.")
    done = events.find_last_done(session, settings.scope, DONE)
    before = _previous(done) if settings.pick.first == "previous" else []
    used = {_thing(action) for action in in_use(done)}
    unused = (choice for choice in _merge([*before, *_rank(newest)]) if choice.thing not in used)
    return Offer(newest, list(islice(filter(_make_filter(session, settings, home), unused), LINES)))


def _thing(action: Action) -> Action:
    is_start = action.operation is Operation.PROCESS_START
    return Action(Operation.WINDOW_FOCUS, "", action.target) if is_start else wanted(action)


def _previous(done: Sequence[Event]) -> list[Choice]:
    """Return the latest window of another app than the one in front, if there is one."""
    focused = [event for event in done if event.operation is Operation.WINDOW_FOCUS and event.app]
    others = (Choice(event.action) for event in reversed(focused) if event.app != focused[-1].app)
    return list(islice(others, 1))


def _rank(prediction: PredictionRow) -> Iterator[Choice]:
    """Yield what may be wanted next, best first; some of it repeatedly."""
    places = list(_choices_in_places(prediction))
    yield from (choice for choice in places if (choice.probability or 0) >= LIKELY)
    yield from (Choice(action_from_dict(entry["action"]), entry["probability"]) for entry in prediction.upcoming)
    yield from places


def _choices_in_places(prediction: PredictionRow) -> Iterator[Choice]:
    """Yield for each place the likeliest action there."""
    there: dict[tuple[str, str], Action] = {}
    for entry in prediction.person:
        action = action_from_dict(entry["action"])
        there.setdefault(place_of(action), action)
    for place in prediction.places:
        if action := there.get(place_from_dict(place)) or _coarse(place):
            yield Choice(action, place["probability"])


def _coarse(place: dict[str, Any]) -> Action | None:
    """Return the action that a place alone names: any window of an app, or a site; None for a folder."""
    operation, name = place_from_dict(place)
    match Operation(operation):
        case Operation.WINDOW_FOCUS:
            return Action(Operation.WINDOW_FOCUS, "", name)
        case Operation.WEB_VISIT:
            return Action(Operation.WEB_VISIT, name)
    return None


def _merge(choices: Iterable[Choice]) -> list[Choice]:
    """Return the first choice for each thing, in order; a window takes the place of a start of its app."""
    merged: dict[Action, Choice] = {}
    for choice in choices:
        first = merged.setdefault(choice.thing, choice)
        if first.action.operation is Operation.PROCESS_START and choice.action.operation is Operation.WINDOW_FOCUS:
            merged[choice.thing] = choice
    return list(merged.values())


def _make_filter(session: Session, settings: Settings, home: Home) -> Callable[[Choice], bool]:
    """Return the check that a choice was really seen, is allowed by today's rules, and was never refused for good."""
    rules = make_rules(settings.privacy, home)

    def may_offer(choice: Choice) -> bool:
        with suppress(NotSeenBefore):
            check_seen(session, settings, choice.action, settings.scope)
            is_allowed = apply_to(_as_event(choice.action), rules)[0] is not None
            return is_allowed and feedback.find_refusal(session, settings.scope, choice.action) is None
        return False

    return may_offer


def _as_event(action: Action) -> Event:
    """Return the event that the rules would be asked about if the action were done now."""
    is_file = action.operation is Operation.FILE_ACCESS
    app, folder = ("", action.place) if is_file else (action.place, "")
    return Event(local_now(), action.operation, action.target, app, folder)
