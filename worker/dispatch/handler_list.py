"""All handlers with their state and their ledger, for `memo handlers` and the page."""

from contextlib import suppress
from datetime import datetime
from typing import Any

from db.dispatch import handlers as rows
from db.dispatch import ledger
from db.store_access import read_session
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from worker.effects.notifications import NO_BUTTONS, NO_MENU, click_problem
from worker.handlers import installed, showing_boxes

ANSWER = "answer with `memo feedback last yes|no|never`"
REMEDIES = {NO_BUTTONS: f"ask shows nothing then, so let notify do so, and {ANSWER}", NO_MENU: ANSWER}
COUNTS = ("goes", "dry", "failed", "overrun", "stopped", "hits", "known", "waste", "read_bytes", "vain_bytes")
NOTHING: dict[str, Any] = dict.fromkeys(COUNTS, 0) | {"saved_s": 0.0, "cost_s": 0.0}


def list_handlers(home: Home, settings: Settings) -> list[dict[str, Any]]:
    """Return name, state, remark and ledger of each handler that is installed or named in the settings, as JSON."""
    ledgers, resting = _figures(home, settings)
    known, remarks = set(installed()), _remarks(settings)
    return [
        {"name": name}
        | _state(name, settings, known, resting.get(name), remarks.get(name, ""))
        | (figures := NOTHING | ledgers.get(name, {}))
        | {"balance_s": figures["saved_s"] - figures["cost_s"]}
        for name in sorted(known | set(settings.dispatch.on) | settings.dispatch.routed)
    ]


def _remarks(settings: Settings) -> dict[str, str]:
    """Return what to know of each handler that is on, by name: that no click can answer its box."""
    boxes = showing_boxes(settings.dispatch.routed & set(settings.dispatch.on))
    problem = click_problem() if boxes else ""
    return dict.fromkeys(boxes, f"{problem}; {REMEDIES[problem]}") if problem else {}


def _state(
    name: str, settings: Settings, known: set[str], resting: dict[str, Any] | None, remark: str
) -> dict[str, Any]:
    dispatch = settings.dispatch
    if name not in known:
        return {"state": "missing", "says": "install its package, or remove it from [dispatch] in memo.toml"}
    if name not in dispatch.routed:
        return {
            "state": "off",
            "says": "switch it on in `memo ui`, or name it under dispatch.routes or dispatch.upcoming in memo.toml",
        }
    if name not in dispatch.on:
        return {"state": "dry", "says": "add it to dispatch.on in memo.toml"}
    if resting:
        until = datetime.fromisoformat(resting["until"]).astimezone(settings.zone)
        says = f"turned itself off until {until:%Y-%m-%d %H:%M}: {resting['reason']}"
        return {"state": "resting", "says": says, "until": resting["until"]}
    return {"state": "on", "says": remark}


def _figures(home: Home, settings: Settings) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return the ledgers and the resting handlers by name; both are empty if the store fails, see `memo status`."""
    with suppress(MemoError), read_session(settings, home) as session:
        if session:
            resting = {row["handler"]: row for row in rows.find_all_resting(session, settings.scope)}
            return ledger.find_totals(session, settings.scope), resting
    return {}, {}
