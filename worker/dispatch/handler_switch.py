"""Switch a handler: on, dry (counted, nothing is done) or off, by the settings that name it."""

from enum import StrEnum
from typing import Any

from memo.core.settings import DispatchSettings
from worker import handlers


class Switch(StrEnum):
    """The positions of a handler's switch."""

    ON = "on"
    DRY = "dry"
    OFF = "off"


def switched(dispatch: DispatchSettings, name: str, switch: Switch) -> dict[str, Any]:
    """Return the settings by which a handler is in that position. Raises UsageError if it can't be loaded."""
    others = [handler for handler in dispatch.on if handler != name]
    routes = {"routes": _as_text(dispatch.routes), "upcoming": _as_text(dispatch.upcoming)}
    if switch is Switch.OFF:
        routes = {table: _without(name, named) for table, named in routes.items()}
    elif name not in dispatch.routed:
        for table, _, operation in (place.partition(".") for place in handlers.find_routes(name)):
            routes[table][operation] = [*routes[table].get(operation, []), name]
    on = [*others, name] if switch is Switch.ON else others
    return {"dispatch.on": on} | {f"dispatch.{table}": named for table, named in routes.items()}


def _as_text(routes: Any) -> dict[str, list[str]]:
    return {str(operation): list(named) for operation, named in routes.items()}


def _without(name: str, routes: dict[str, list[str]]) -> dict[str, list[str]]:
    return {operation: [handler for handler in named if handler != name] for operation, named in routes.items()}
