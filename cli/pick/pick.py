"""`memo pick`: go to one of the likeliest next things."""

from typing import TYPE_CHECKING, Annotated, Any

from cli.terminal.options import Json, flag
from cli.terminal.output import print_json, print_text
from db.store_access import open_existing, read_session
from memo.core.errors import MemoError, UsageError
from memo.core.events import Operation
from memo.core.paths import Home
from memo.core.predictions import Answer, action_as_dict
from memo.core.settings import Settings
from memo.display.text import safe

if TYPE_CHECKING:
    from cli.pick.choices import Choice, Offer

TOP = 3  # lines that are reached without searching


def pick(
    prints: Annotated[bool, flag("--print", "Print the list instead, one thing per line.")] = False,
    stats: Annotated[
        bool,
        flag(
            "--stats",
            "Print instead how many picks were in the first three lines, and how many windows were open on average.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Go to the previous place or to one of the likeliest next things.

    Bind this command to a key. The list has at most eight lines: by default first the place where you were before, then
    what you most likely want next: windows, apps, sites and files. Things in use are left out, and so is all that
    the privacy rules exclude. An open window comes to the front; an app, a site or a file is opened. Your pick, and the
    suggestions that you pass over, count as feedback.
    """
    settings, home = Settings.load(), Home.find()
    if prints and stats:
        raise UsageError("Give --print or --stats, not both.")
    if stats:
        _print_stats(settings, home, as_json)
        return
    offer = find_offer(settings, home)
    if as_json:
        print_json([_as_dict(line, choice) for line, choice in enumerate(offer.choices, 1)])
    elif prints:
        for choice in offer.choices:
            print_text(label(choice))
    else:
        _choose(offer, settings, home)


def find_offer(settings: Settings, home: Home) -> "Offer":
    """Return what can be picked now. Raises MemoError if nothing can be yet."""
    from cli.pick.choices import make_offer

    with read_session(settings, home) as session:
        if session is None:
            raise MemoError("There is no store yet; start MEMO with `memo up`.")
        return make_offer(session, settings, home)


def _choose(offer: "Offer", settings: Settings, home: Home) -> None:
    """Have the person pick, go there, and store that as feedback."""
    from cli.pick.pickers import find_picker

    lines = [(label(choice), choice.target.icon) for choice in offer.choices]
    picked = find_picker(settings.pick.program).choose(lines)
    if picked is not None:
        offer.choices[picked].target.go()
        _record(offer, picked, settings, home)


def _record(offer: "Offer", picked: int, settings: Settings, home: Home) -> None:
    """Store what was picked and what was passed over, except in a pause, or if some of it was forgotten meanwhile.

    The previous place is not a suggestion, so passing it over says nothing.
    """
    from db.prediction import feedback, predictions
    from memo.clock import pauses

    if pauses.current(home):
        return
    with open_existing(settings, home) as store, store.write() as session:
        prediction = predictions.find_prediction(session, offer.prediction.id)
        if prediction is None or prediction.person != offer.prediction.person:
            return
        for line, choice in enumerate(offer.choices[: picked + 1], 1):
            answer = Answer.YES if line == picked + 1 else Answer.NO
            windows = offer.windows if answer is Answer.YES else None
            if answer is Answer.YES or choice.probability is not None:
                feedback.add_answer(session, prediction, action_as_dict(choice.target.action), answer, line, windows)


def _print_stats(settings: Settings, home: Home, as_json: bool) -> None:
    from db.prediction import feedback

    with read_session(settings, home) as session:
        found = feedback.find_picks(session, settings.scope, TOP) if session else feedback.Picks(0, 0, None)
    if as_json:
        print_json({"picks": found.picks, "in_first_lines": found.top, "first_lines": TOP, "windows": found.windows})
        return
    share = f" ({found.top / found.picks:.0%})" if found.picks else ""
    windows = f"; open windows on average: {found.windows:.1f}" if found.windows else ""
    print_text(f"Picks: {found.picks}; of them in lines 1 to {TOP}: {found.top}{share}{windows}")


def _as_dict(line: int, choice: "Choice") -> dict[str, Any]:
    action = action_as_dict(choice.target.action)
    facts = {"is_open": choice.target.is_open, "icon": choice.target.icon, "probability": choice.probability}
    return {"line": line, "text": label(choice), "action": action} | facts


def label(choice: "Choice") -> str:
    """Return the line of a choice: an app with its window's title, a site, a file with its folder."""
    action = choice.target.action
    if action.operation is Operation.FILE_ACCESS:
        return safe(f"{action.target} ({action.place})")
    return safe(": ".join(filter(None, (action.place, action.target))))
