"""The application: which view answers which path."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from memo.core.errors import MemoError, UsageError
from memo.core.paths import Home
from ui.access import ENTER, Access, OwnsPeer, refuse
from ui.link import use_token
from ui.page import LANGUAGE, SCOPE, Form, QueueCheck, Visit, read_form
from ui.views import day, effects, history_page, model, now, privacy

LASTING_S = 400 * 86_400  # what browsers keep a cookie at most

ONWARD = """<!doctype html><html lang="en"><head><title>MEMO</title><meta http-equiv="refresh" content="0;url=/">
<link rel="icon" href="/static/icon.svg" type="image/svg+xml"></head><body><a href="/">MEMO</a></body></html>
"""


def make_app(home: Home, port: int, owns_peer: OwnsPeer) -> ASGIApp:
    """Return the page of a home, served at that port to peers that are owned."""
    app = Starlette(
        routes=[
            Route(ENTER, _enter),
            Route("/language", _posted(_choose_language), methods=["POST"]),
            Route("/scope", _posted(_choose_scope), methods=["POST"]),
            Route("/", _shown(now.show)),
            Route("/stream", now.stream),
            Route("/feedback", _posted(now.answer), methods=["POST"]),
            Route("/day", _shown(day.show)),
            Route("/history", _shown(history_page.show)),
            Route("/history.csv", _shown(history_page.export)),
            Route("/why/{prediction:int}", _shown(history_page.show_why)),
            Route("/privacy", _shown(privacy.show)),
            Route("/pause", _posted(privacy.pause), methods=["POST"]),
            Route("/exclusions", _posted(privacy.exclude), methods=["POST"]),
            Route("/forget/preview", _posted(privacy.preview), methods=["POST"]),
            Route("/forget", _posted(privacy.forget), methods=["POST"]),
            Route("/model", _shown(model.show)),
            Route("/activate", _posted(model.activate), methods=["POST"]),
            Route("/rollback", _posted(model.roll_back), methods=["POST"]),
            Route("/effects", _shown(effects.show)),
            Route("/switch", _posted(effects.switch), methods=["POST"]),
            Route("/allow", _posted(effects.allow), methods=["POST"]),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ],
        exception_handlers={MemoError: _failed, HTTPException: _not_found},
    )
    app.state.home = home
    app.state.queues = QueueCheck()
    return Access(app, port, owns_peer)


def _shown(view: Callable[[Visit], Response]) -> Callable[[Request], Response]:
    return lambda request: view(Visit(request))


def _posted(do: Callable[[Visit, Form], Response]) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(do, Visit(request), await read_form(request))

    return endpoint


def _enter(request: Request) -> Response:
    """Exchange the token of a link for the cookie.

    The answer is a page that leads on, as a browser would not send a strict cookie where another program's link is
    redirected.
    """
    if not use_token(request.app.state.home, request.query_params.get("token", "")):
        return refuse("This link was used before; run `memo ui` for a new one.")
    name, secret = request.scope["secret_cookie"]
    response = HTMLResponse(ONWARD)
    response.set_cookie(name, secret, httponly=True, samesite="strict")
    return response


def _choose_language(visit: Visit, form: Form) -> Response:
    response = visit.go_back()
    if form.get("language") in ("en", "zh"):
        response.set_cookie(LANGUAGE, form["language"], httponly=True, samesite="strict", max_age=LASTING_S)
    return response


def _choose_scope(visit: Visit, form: Form) -> Response:
    response = visit.go_back()
    response.set_cookie(SCOPE, quote(form.get("scope", "")), httponly=True, samesite="strict", max_age=LASTING_S)
    return response


def _failed(request: Request, error: Exception) -> Response:
    """Show the sentence of an error."""
    return Visit(request).show_error(str(error), 400 if isinstance(error, UsageError) else 500)


def _not_found(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return Visit(request).show_error("There is no such page.", status)
