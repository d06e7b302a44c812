"""What the views share: the store, the settings, and pages in the language of the reader."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse

from db.page import current
from db.store_access import read_session
from db.upkeep import health
from memo.clock import pauses
from memo.core.errors import MemoError, UsageError
from memo.core.grammar import Language
from memo.core.paths import Home
from memo.core.predictions import action_from_dict
from memo.core.settings import Settings
from memo.display.text import safe, short
from memo.stack import running
from ui.translations import translate

LANGUAGE = "memo_language"  # cookie
LONGEST_FORM = 64_000  # bytes
VIEWS = {
    "/": "Now",
    "/day": "Day",
    "/history": "History",
    "/privacy": "Privacy",
    "/model": "Model",
    "/effects": "Effects",
}


@dataclass(frozen=True)
class Visit:
    """One request: who asks, in which language, and for which scope."""

    request: Request

    @property
    def home(self) -> Home:
        """The home whose page this is."""
        home: Home = self.request.app.state.home
        return home

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        settings: Settings = self.request.state.settings
        return settings

    @property
    def language(self) -> Language:
        """The language that the reader chose, else that of the settings."""
        chosen = self.request.cookies.get(LANGUAGE)
        return "zh" if chosen == "zh" else "en" if chosen == "en" else self.settings.language

    @contextmanager
    def read(self) -> Iterator[Session | None]:
        """Open a session that reads the store; None if there is no store yet."""
        with read_session(self.settings, self.home) as session:
            yield session

    def problems(self) -> list[str]:
        """Return what is wrong now, each with its remedy."""
        state = running.state(self.home)
        if not state:
            return [translate("MEMO is not running; `memo up` starts it.", language=self.language)]
        try:
            with self.read() as session:
                stored = health.find_problems(session, self.settings, self.home, is_running=True) if session else []
                return [*state["problems"], *stored, *health.find_source_problems(session, self.home)]
        except MemoError as error:
            return [*state["problems"], str(error), *health.find_source_problems(None, self.home)]

    def scope(self, session: Session) -> str:
        """Return the scope that is asked for, else the reader's own."""
        return self.request.query_params.get("scope") or current.find_shown_scope(session, self.settings.scope)

    def render(self, template: str, **values: Any) -> str:
        """Return HTML in the reader's language."""
        return _environment().get_template(template).render(values | self._words())

    def show(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a page."""
        return HTMLResponse(self.render(template, **values), status)

    def _words(self) -> dict[str, Any]:
        language, zone = self.language, self.settings.zone
        return {
            "t": partial(translate, language=language),
            "language": language,
            "views": VIEWS,
            "path": self.request.url.path,
            "query": self.request.query_params,
            "problems": self.problems,
            "paused": pauses.current(self.home),
            "safe": safe,
            "short": lambda action: short(action_from_dict(action), language),
            "clock": lambda at: f"{_as_time(at).astimezone(zone):%H:%M:%S}",
            "moment": lambda at: f"{_as_time(at).astimezone(zone):%Y-%m-%d %H:%M:%S}",
        }


def _as_time(at: datetime | str) -> datetime:
    return datetime.fromisoformat(at) if isinstance(at, str) else at


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form. Raises UsageError if it is too long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            raise UsageError(f"This form is longer than {LONGEST_FORM} bytes.")
    return {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}
