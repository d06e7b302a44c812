"""What the views share: the store, the settings, and pages in the language of the reader."""

import os
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.filters import do_filesizeformat
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from db.intake.scopes import find_scope_names
from db.page import current
from db.store_access import read_session
from db.upkeep import health
from memo.clock import pauses
from memo.config import settings_file
from memo.core.errors import MemoError, UsageError
from memo.core.grammar import Language
from memo.core.paths import Home
from memo.core.predictions import action_from_dict
from memo.core.settings import Settings, find_variable, setting_of
from memo.display.text import safe, short
from memo.stack import running
from memo.stack.broker import measure_queues
from ui import charts, sentences
from ui.translations import translate, translate_name

LANGUAGE = "memo_language"  # cookie
SCOPE = "memo_scope"  # cookie
LONGEST_FORM = 64_000  # bytes
Form = dict[str, str]
QUEUES_S = 10.0  # between two questions to the broker
VIEWS = {
    "/": "Now",
    "/day": "Day",
    "/history": "History",
    "/privacy": "Privacy",
    "/model": "Model",
    "/effects": "Effects",
}


class QueueCheck:
    """Asks the broker about its queues, but rarely: the live view wants to know several times a second."""

    def __init__(self) -> None:
        self._until, self._found = 0.0, list[str]()

    def find_problems(self, home: Home, settings: Settings) -> list[str]:
        """Return what was wrong with the queues at most `QUEUES_S` ago."""
        if time.monotonic() > self._until:
            self._found = list(filter(None, [measure_queues(home, settings)[1]]))
            self._until = time.monotonic() + QUEUES_S
        return self._found


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
        """The settings, read when the request first needs them. Raises UsageError if they are wrong."""
        if not hasattr(self.request.state, "settings"):
            self.request.state.settings = Settings.load()
        settings: Settings = self.request.state.settings
        return settings

    @property
    def language(self) -> Language:
        """The language that the reader chose, else that of the settings."""
        chosen = self.request.cookies.get(LANGUAGE)
        return "zh" if chosen == "zh" else "en" if chosen == "en" else self.settings.language

    def read(self) -> AbstractContextManager[Session | None]:
        """Open a session that reads the store; None if there is no store yet."""
        return read_session(self.settings, self.home)

    def problems(self) -> list[str]:
        """Return what is wrong now, each with its remedy."""
        waiting = self.find_queue_problems()
        try:
            with self.read() as session:
                return [*waiting, *self.find_problems(session)]
        except MemoError as error:
            return [*waiting, *self.find_problems(None), str(error)]

    def find_queue_problems(self) -> list[str]:
        """Return what is wrong with the queues; not within a session, as the broker may take seconds to answer."""
        queues: QueueCheck = self.request.app.state.queues
        return queues.find_problems(self.home, self.settings) if running.state(self.home) else []

    def find_problems(self, session: Session | None) -> list[str]:
        """Return what is wrong now with MEMO, but for its queues, and, if it is given, with its store."""
        state = running.state(self.home)
        if not state:
            return ["MEMO is not running; `memo up` starts it."]
        stored = health.find_problems(session, self.settings, self.home, is_running=True) if session else []
        return [*state["problems"], *stored, *health.find_source_problems(session, self.home)]

    def scope(self, session: Session) -> str:
        """Return the scope that the reader chose, else their own."""
        chosen = unquote(self.request.cookies.get(SCOPE, ""))
        return chosen if chosen in find_scope_names(session) else current.find_shown_scope(session, self.settings.scope)

    def scopes(self) -> tuple[str, list[str]]:
        """Return the scope that is shown, and all that are stored."""
        with suppress(MemoError), self.read() as session:
            if session:
                return self.scope(session), list(find_scope_names(session))
        return self.settings.scope, []

    def change_settings(self, wanted: dict[str, Any]) -> None:
        """Write settings to memo.toml. Raises UsageError for one that is wrong or that the environment hides."""
        before = text = settings_file.read_text(self.home)
        for key, value in wanted.items():
            if value != setting_of(self.settings, key):
                if name := find_variable(key, os.environ):
                    raise UsageError(f"{name} in the environment hides {key}; change it there.")
                text = settings_file.with_value(text, key, value)
        settings_file.save(self.home, before, text)

    def go_back(self) -> RedirectResponse:
        """Lead back to the view in which a form was sent."""
        came = urlsplit(self.request.headers.get("referer", ""))
        return RedirectResponse(f"{came.path}?{came.query}" if came.path in VIEWS else "/", 303)

    def render(self, template: str, **values: Any) -> str:
        """Return HTML in the reader's language."""
        return _environment().get_template(template).render(values | self._words())

    def show(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a page."""
        return HTMLResponse(self.render(template, **values), status)

    def show_error(self, sentence: str, status: int) -> HTMLResponse:
        """Return a page that says what went wrong; where the settings did, it is in the default language."""
        try:
            return self.show("error.html", status, said=sentence)
        except UsageError:
            self.request.state.settings = Settings.model_construct()
            return self.show("error.html", status, said=sentence)

    def _words(self) -> dict[str, Any]:
        language, zone = self.language, self.settings.zone
        return {
            "t": partial(translate, language=language),
            "sentence": partial(sentences.in_language, language=language),
            "language": language,
            "views": VIEWS,
            "path": self.request.url.path,
            "problems": self.problems,
            "scopes": self.scopes,
            "paused": pauses.current(self.home),
            "named": partial(translate_name, language=language),
            "size": lambda number: do_filesizeformat(number).replace("Bytes", "B").replace("Byte", "B"),
            "safe": safe,
            "share": lambda *shares: [f"{share:.0%}" for share in shares],
            "short": lambda action: short(action_from_dict(action), language),
            "hours": charts.as_hours,
            "clock": lambda at: _as_clock(_as_time(at).astimezone(zone)),
            "moment": lambda at: f"{_as_time(at).astimezone(zone):%Y-%m-%d %H:%M:%S}",
        }


def _as_time(at: datetime | str) -> datetime:
    return datetime.fromisoformat(at) if isinstance(at, str) else at


def _as_clock(at: datetime) -> str:
    """Return the time of today, or the day and the time."""
    return f"{at:%H:%M:%S}" if at.date() == datetime.now(at.tzinfo).date() else f"{at:%Y-%m-%d %H:%M:%S}"


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


async def read_form(request: Request) -> Form:
    """Return the fields of a form. Raises UsageError if it is too long."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            raise UsageError(f"This form is longer than {LONGEST_FORM} bytes.")
    return {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}


def read_day(given: str | None) -> date | None:
    """Return the day that a field states, if it states one. Raises UsageError for any other text."""
    try:
        return charts.parse_day(given) if given else None
    except ValueError as error:
        raise UsageError("Write the day as 2026-03-02.") from error
