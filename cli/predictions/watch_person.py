"""How the person's acts and what they do next look on a terminal: functions from messages to lines."""

from typing import Any

from rich.text import Text

from cli.predictions.watch_view import MARK, SHOWN, TIME, ShownEvent, Tally, cell, event_lines, likeliest
from memo.core.events import HUMAN, Action
from memo.core.grammar import Language
from memo.core.predictions import action_from_dict, first_in_places, place_from_dict, place_of
from memo.display.text import describe, safe


def take_acts(message: dict[str, Any], tally: Tally) -> list[ShownEvent]:
    """Count a message and the ranks of the acts that it judges, and return the acts that it shows.

    Acts are in `settled_person` where a prediction before them was judged; else the newest event may be one.
    """
    tally.predictions += 1
    tally.model = message["model"]
    judged = message.get("settled_person", [])
    for outcome in judged:
        tally.add_rank(outcome["place_rank"])
    acts = [ShownEvent(outcome["text"], outcome["action"], _mark(outcome["place_rank"])) for outcome in judged]
    event = message["event"]
    if not acts and event["action"]["operation"] in HUMAN and _place(event["action"]) != tally.place:
        acts = [ShownEvent(event["text"], event["action"], Text())]
    if acts:
        tally.place = _place(acts[-1].action)
    return acts


def first_hit(message: dict[str, Any], language: Language) -> Text | None:
    """Return a line about the first act, if any, whose place was among the places shown before that act."""
    for outcome in message.get("settled_person", []):
        if (rank := outcome["place_rank"]) is not None and rank <= SHOWN:
            name = _place(outcome["action"])[1]
            return Text(
                safe(describe("First hit: {} was foreseen, with rank {}.", language).format(name, rank)), "bold"
            )
    return None


def _mark(rank: int | None) -> Text:
    return Text("✗", "red") if rank is None else Text(f"✓ {rank}", "green" if rank <= SHOWN else "yellow")


def _place(action: dict[str, str]) -> tuple[str, str]:
    return place_of(action_from_dict(action))


def act_lines(message: dict[str, Any], acts: list[ShownEvent], width: int, language: Language) -> list[Text]:
    """Return a line of `width` cells for each act, the last with what comes next beside it or, if narrow, below it."""
    return event_lines(acts, width, lambda left: _places(message, acts[-1], left, language))


def _places(message: dict[str, Any], last: ShownEvent, width: int, language: Language) -> Text:
    """Return the likeliest places but the present one, each with the likeliest action there."""
    there = first_in_places(action_from_dict(entry["action"]) for entry in message.get("person", []))
    others = [place for place in message.get("places", []) if place_from_dict(place) != _place(last.action)]
    named = [(place["probability"], _name(place["name"], there.get(place_from_dict(place)))) for place in others]
    return likeliest(named, width, language)


def _name(place: str, action: Action | None) -> str:
    """Return a place and, after a colon, the target of an action there, unless the place says it all."""
    return place if action is None or action.target == place else f"{place}: {action.target}"


def folded_line(count: int, last: str, width: int, language: Language) -> Text:
    """Return a line that stands for other events, of which `last` is the text of the last one."""
    kind = describe("other event" if count == 1 else "other events", language)
    says = f"{' ' * (TIME + MARK)}… {count} {kind}: {last.partition(' - ')[2]}"
    return cell(says, width, "dim")
