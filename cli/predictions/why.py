"""`memo why`: explain a prediction, or what the privacy rules did."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Annotated, Any

from cli.terminal.options import Json, argument, flag
from cli.terminal.output import counted, print_json, print_notice, print_text
from cli.terminal.progress import late_progress_bar
from db.store_access import read_session
from memo.core.errors import UsageError
from memo.core.events import Action, Operation
from memo.core.grammar import Language
from memo.core.paths import Home
from memo.core.predictions import action_as_dict, action_from_dict
from memo.core.settings import Settings
from memo.display.text import reason, short

TOP = 3  # candidates and past moments shown
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "place": "Where you go next: {}",
        "person": "What you do next: {}",
        "candidates": "The next event of any kind: {}",
        "nothing": "It names nothing: only {} had been seen, and what was never seen can't be predicted.",
        "degraded": "Explained without the language model, which can't be used: {}",
        "no place": "It does not say where you go next.",
        "no person": "It does not say what you do next.",
        "no candidates": "It does not say which event of any kind comes next.",
        "because": "The first ranks above {} because of",
        "never": "{} never happened before.",
        "followed": "After {}, seen {} before, it came next {}.",
        "without": "Without the language model: {}",
        "again": "No snapshot is as old as this prediction, so MEMO read the {} before it again.",
    },
    "zh": {
        "place": "你接下来去哪里：{}",
        "person": "你接下来做什么：{}",
        "candidates": "接下来的任何事件：{}",
        "nothing": "它没有预测任何动作：当时只有 {}，从未出现过的动作无法预测。",
        "degraded": "以下解释未用语言模型，因为它无法使用：{}",
        "no place": "它没有说明你接下来去哪里。",
        "no person": "它没有说明你接下来做什么。",
        "no candidates": "它没有说明接下来发生什么事件。",
        "because": "第一个排在“{}”之前，原因是：",
        "never": "“{}”以前从未出现过。",
        "followed": "“{}”以前出现过 {}，其中 {} 之后是它。",
        "without": "没有语言模型时：{}",
        "again": "没有早于这个预测的快照，因此重新读取了之前的 {}。",
    },
}


def why(
    prediction: Annotated[int | None, argument(metavar="ID", help="Id of the prediction, see `memo history`.")] = None,
    redacted: Annotated[
        bool, flag("--redacted", "Show instead how often each privacy rule acted, and when it last did.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Explain a prediction, or what the privacy rules did.

    Without an ID, MEMO explains the newest prediction of your own scope.

    MEMO shows first where you would go and what you would do next, and why; then why the first candidate for the next
    event of any kind was first, and which candidates would lead without the language model; then what each handler did
    or which gate stopped it. For that MEMO loads the latest snapshot of what it had learned before that prediction;
    where there is none, it reads the last 100,000 events again, which takes longer. The weights are today's and may
    have changed since.
    """
    from memo.core import logs

    settings, home = Settings.load(), Home.find()
    if redacted and prediction is not None:
        raise UsageError("Give the id of a prediction or --redacted, not both.")
    if redacted:
        _show_redacted(settings, home, as_json)
        return
    number = _find_newest(settings, home) if prediction is None else prediction
    logs.setup(home.logs, "cli")
    from worker.prediction.explanation import explain

    with late_progress_bar("reading the events") as progress:
        found = explain(settings, home, number, progress)
    if as_json:
        print_json(found)
    else:
        _show(found, settings)


def _find_newest(settings: Settings, home: Home) -> int:
    """Return the id of the newest prediction of your scope. Raises UsageError if there is none."""
    from db.prediction import predictions

    with read_session(settings, home) as session:
        newest = predictions.find_newest(session, settings.scope) if session else None
        if newest is None:
            raise UsageError(
                f"There are no predictions of {settings.scope} yet; "
                "give an id from `memo history`, or see `memo status`."
            )
        return newest.id


def _show_redacted(settings: Settings, home: Home, as_json: bool) -> None:
    from db.intake import redactions

    with read_session(settings, home) as session:
        found = redactions.count_by_rule(session) if session else []
    if as_json:
        print_json(found)
        return
    chinese = settings.language == "zh"
    for row in found:
        last = datetime.fromisoformat(row["last_at"]).astimezone(settings.zone)
        words = "个事件，最近一次在" if chinese else " event, last at" if row["events"] == 1 else " events, last at"
        print_text(f"{row['rule']:16}{row['events']:>8}{words} {last:%Y-%m-%d %H:%M:%S}")
    if not found:
        print("还没有隐私规则起过作用。" if chinese else "No privacy rule has acted yet.")


def _show(found: dict[str, Any], settings: Settings) -> None:
    language, zone = settings.language, settings.zone
    words = WORDS[language]
    scope = "" if found["scope"] == settings.scope else f"  {found['scope']}"
    print_text(f"#{found['id']}  {found['at'].astimezone(zone):%Y-%m-%d %H:%M:%S}{scope}")
    if found["read_again"] == found["events"]:
        print_notice(words["again"].format(_events(found["events"], language)))
    if found["problem"]:
        print_text(words["degraded"].format(found["problem"]))
    if not any(found[name] for name in ("places", "person", "candidates")):
        print_text(words["nothing"].format(_events(found["events"], language)))
        return _show_handlers(found["handlers"], language)
    places = [one | {"action": _as_action(one)} for one in found["places"]]
    for question, entries, reasons in (
        ("place", places, found["place_reasons"]),
        ("person", found["person"], found["person_reasons"]),
        ("candidates", found["candidates"], found["reasons"]),
    ):
        print_text(words[question].format(_with_odds(entries, language)) if entries else words[f"no {question}"])
        if reasons:
            print_text(words["because"].format(_named(entries[1], language)))
        for entry in reasons:
            print_text(f"  {entry['nats']:+.2f}  {reason(entry['feature'], language)}")
    if found["past"]:
        _show_past(found["past"], language, zone)
        print_text(words["without"].format(_with_odds(found["without_language_model"], language)))
    _show_handlers(found["handlers"], language)


def _show_handlers(attempts: Sequence[dict[str, Any]], language: Language) -> None:
    for attempt in attempts:
        detail = f" ({attempt['detail']})" if attempt["detail"] else ""
        result = attempt["outcome"] or attempt["status"]
        print_text(f"{attempt['handler']}: {_with_odds([attempt], language)}, {result}{detail}")


def _as_action(place: dict[str, Any]) -> dict[str, str]:
    """Return a place as an action with its name, which is shown like one."""
    return action_as_dict(Action(Operation(place["operation"]), place["name"]))


def _named(entry: dict[str, Any], language: Language) -> str:
    return short(action_from_dict(entry["action"]), language)


def _with_odds(entries: Sequence[dict[str, Any]], language: Language) -> str:
    return ", ".join(f"{_named(entry, language)} {entry['probability']:.0%}" for entry in entries)


def _show_past(past: dict[str, Any], language: Language, zone: tzinfo) -> None:
    words, met = WORDS[language], _times(past["met"], language)
    context = " → ".join(short(action_from_dict(action), language) for action in past["context"])
    followed = words["followed" if past["met"] else "never"]
    print_text(followed.format(context, met, _times(len(past["followed"]), language)))
    for at in past["followed"][-TOP:]:
        print_text(f"  {at.astimezone(zone):%Y-%m-%d %H:%M:%S}")


def _events(number: int, language: Language) -> str:
    return f"{number} 个事件" if language == "zh" else counted(number, "event")


def _times(number: int, language: Language) -> str:
    if language == "zh":
        return f"{number} 次"
    return "once" if number == 1 else counted(number, "time")
