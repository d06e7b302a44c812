"""*Effects*: what each handler did, and whether it pays off."""

from starlette.responses import Response

from ui.page import Visit
from worker.dispatch.handler_list import list_handlers


def show(visit: Visit) -> Response:
    """Show the ledger of each handler."""
    return visit.show("effects.html", handlers=list_handlers(visit.home, visit.settings))
