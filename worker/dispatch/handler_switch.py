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
    off = name if switch is Switch.OFF else None
    routes = {
        table: {str(operation): [one for one in named if one != off] for operation, named in routes.items()}
        for table, routes in (("routes", dispatch.routes), ("upcoming", dispatch.upcoming))
    }
    if off is None and name not in dispatch.routed:
        for table, _, operation in (place.partition(".") for place in handlers.find_routes(name)):
            routes[table].setdefault(operation, []).append(name)
    on = [*others, name] if switch is Switch.ON else others
    return {"dispatch.on": on} | {f"dispatch.{table}": named for table, named in routes.items()}
