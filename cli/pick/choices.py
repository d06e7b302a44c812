"""The list of `memo pick`: the place before this one, then the likeliest things that are not in use."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy.orm import Session

from cli.pick.targets import Target, Targets, thing_of
from db.intake import events
from db.models import PredictionRow
from db.prediction import feedback, predictions
from memo.core.errors import MemoError
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.predictions import action_from_dict, first_in_places, in_use, place_as_action, place_from_dict
from memo.core.settings import Settings
from memo.privacy.exclusions import make_action_matcher
from worker.effects.seen_before import NotSeenBefore, check_seen

LINES = 8
DONE = 50  # latest actions, which say what is in use and what was in use before
LIKELY = 0.02  # a place with a smaller probability comes after what is upcoming


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Something that may be wanted; `probability` is that of its place or, if it is upcoming, its own."""

    action: Action
    probability: float | None = None  # None for the previous place, which is not offered because it is likely


@dataclass(frozen=True, slots=True)
class Choice:
    """A line that can be picked."""

    target: Target
    probability: float | None


@dataclass(frozen=True, slots=True)
class Offer:
    """The choices, best first, the prediction that they are from, and how many windows are open, if that is known."""

    prediction: PredictionRow
    choices: list[Choice]
    windows: int | None


def make_offer(session: Session, settings: Settings, home: Home) -> Offer:
    """Return what can be picked now. Raises MemoError if nothing was predicted yet."""
    newest = predictions.find_newest(session, settings.scope)
    if newest is None:
        raise MemoError("MEMO has predicted nothing yet; start it with `memo up`, and use the machine for a while.")
    done = events.find_last_done(session, settings.scope, DONE)
    before = _previous(done) if settings.pick.first == "previous" else []
    used = {thing_of(action) for action in in_use(done)}
    unused = (one for one in _merge([*before, *_rank(newest)]) if thing_of(one.action) not in used)
    is_excluded, targets = make_action_matcher(settings.privacy), Targets(settings, home, session)
    choices = (
        Choice(target, one.probability)
        for one in unused
        if not is_excluded(one.action)
        and (target := targets.find(one.action))
        and _is_allowed(session, settings, one.action)
    )
    return Offer(newest, list(islice(choices, LINES)), targets.count_windows())


def _previous(done: Sequence[Event]) -> list[Suggestion]:
    """Return the latest window of another app than the one in front, if there is one."""
    focused = [event for event in done if event.operation is Operation.WINDOW_FOCUS and event.app]
    others = (Suggestion(event.action) for event in reversed(focused) if event.app != focused[-1].app)
    return list(islice(others, 1))


def _rank(prediction: PredictionRow) -> Iterator[Suggestion]:
    """Yield what may be wanted next, best first; some of it repeatedly."""
    places = list(_suggest_in_places(prediction))
    yield from (suggestion for suggestion in places if (suggestion.probability or 0) >= LIKELY)
    yield from (Suggestion(action_from_dict(entry["action"]), entry["probability"]) for entry in prediction.upcoming)
    yield from places


def _suggest_in_places(prediction: PredictionRow) -> Iterator[Suggestion]:
    """Yield for each place the likeliest action there."""
    there = first_in_places(action_from_dict(entry["action"]) for entry in prediction.person)
    for place in prediction.places:
        likeliest = there.get(place_from_dict(place)) or place_as_action(place)
        if likeliest.target or likeliest.operation is Operation.WINDOW_FOCUS:  # nobody can go to a folder alone
            yield Suggestion(likeliest, place["probability"])


def _merge(suggestions: Iterable[Suggestion]) -> list[Suggestion]:
    """Return the first suggestion for each thing, in order; a window takes the place of a start of its app."""
    merged: dict[Action, Suggestion] = {}
    for suggestion in suggestions:
        first = merged.setdefault(thing_of(suggestion.action), suggestion)
        if first.action.operation is Operation.PROCESS_START and suggestion.action.operation is Operation.WINDOW_FOCUS:
            merged[thing_of(suggestion.action)] = suggestion
    return list(merged.values())


def _is_allowed(session: Session, settings: Settings, action: Action) -> bool:
    """Return whether an action was really seen, and was never refused for good."""
    try:
        check_seen(session, settings, action, settings.scope)
    except NotSeenBefore:
        return False
    return feedback.find_refusal(session, settings.scope, action) is None
