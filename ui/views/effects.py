"""*Effects*: what each handler did and whether it pays off, its switch, and what was refused for good."""

from starlette.responses import RedirectResponse, Response

from db.prediction import feedback
from db.store_access import writable_store
from memo.core.errors import UsageError
from ui.page import Form, Visit
from worker.dispatch.handler_list import list_handlers
from worker.dispatch.handler_switch import Switch, switched


def show(visit: Visit) -> Response:
    """Show the ledger of each handler, and the answers *Never* that hold."""
    with visit.read() as session:
        scope = visit.scope(session) if session else visit.settings.scope
        refusals = feedback.find_refusals(session, scope) if session else []
    handlers = list_handlers(visit.home, visit.settings.model_copy(update={"scope": scope}))
    saved, vain = (sum(handler[name] for handler in handlers) for name in ("saved_s", "vain_bytes"))
    return visit.show(
        "effects.html", handlers=handlers, refusals=refusals, saved=saved, vain=vain, switches=list(Switch)
    )


def switch(visit: Visit, form: Form) -> Response:
    """Switch a handler on, dry or off."""
    try:
        wanted = Switch(form.get("switch", ""))
    except ValueError as error:
        raise UsageError("Switch a handler to on, dry or off.") from error
    visit.change_settings(switched(visit.settings.dispatch, form.get("handler", ""), wanted))
    return RedirectResponse("/effects", 303)


def allow(visit: Visit, form: Form) -> Response:
    """Take back an answer *Never*."""
    number = form.get("answer", "")
    if not number.isdecimal() or len(number) > 18:
        raise UsageError("No answer was chosen; go back and choose one from the list.")
    with writable_store(visit.settings, visit.home) as store, store.write() as session:
        feedback.record_return(session, visit.scope(session), int(number))
    return RedirectResponse("/effects#never", 303)
