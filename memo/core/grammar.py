"""Event lines in Chinese and English: one grammar reads and writes both.

A line is `YYYY-MM-DD HH:MM:SS - ACTION`; the forms of an action are the rows of `FORMS`. A line that is parsed and
written again stays the same, except for an empty page title and control characters.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any, Literal

from memo.core.errors import GrammarError
from memo.core.events import FILES, Action, Event, Operation

Language = Literal["zh", "en"]

MAX_LINE = 1_000_000  # characters; a longer line is refused
MAX_TEXT = 4_096  # characters; a longer title, name or path is cut
MAX_ACTIONS = 1_024  # texts of actions whose fields are remembered: nine of ten lines repeat one

_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) - (.+)", re.S)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_WEEKDAYS: dict[Language, list[str]] = {
    "zh": list("一二三四五六日"),
    "en": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
}


@dataclass(frozen=True, slots=True)
class Form:
    """The way one kind of action is written in one language; `pattern` reads what `template` writes."""

    operation: Operation
    template: str
    pattern: re.Pattern[str]
    needs: tuple[str, ...]


def _forms(operation: Operation, text: str, **groups: str) -> Iterator[Form]:
    """Yield the form of a text, then, if a part of it is in brackets, the one without that part."""
    longest = re.sub(r"[\[\]]", "", text)
    for template in dict.fromkeys((longest, re.sub(r"\[.*\]", "", text))):
        target = _CLOSED if template.endswith(")") else ".+"
        pattern = re.escape(template)
        for name, part in ({"target": target, "app": ".+", "detail": ".+"} | groups).items():
            pattern = pattern.replace(rf"\{{{name}\}}", f"(?P<{name}>{part})")
        needs = tuple(name for name in ("app", "detail") if f"{{{name}}}" in template)
        yield Form(operation, template, re.compile(pattern, re.S), needs)


_SECONDS = r"\d+(?:\.\d+)?"
_HOUR = r"\d{1,2}"
_CLOSED = r"(?=.*\)\Z).+"  # checks for the final bracket first: without it many " (in " would take quadratic time

FORMS: dict[Language, list[Form]] = {
    "zh": [
        *_forms(Operation.WINDOW_FOCUS, "切换到窗口: {target}[ (应用: {app})]"),
        *_forms(Operation.PROCESS_START, "启动应用: {target}"),
        *_forms(Operation.PROCESS_END, "关闭应用: {target}"),
        *_forms(Operation.WEB_VISIT, "访问网站 {target}[ 的页面 '{detail}']", target=r"\S+", detail=".*"),
        *_forms(Operation.FILE_ACCESS, "访问文件: {target}[ (位于 {detail})]"),
        *_forms(Operation.FILE_SAVE, "保存文件: {target}[ (位于 {detail})]"),
        *_forms(Operation.APP_USAGE, "使用应用: {target}[ (时长: {detail}秒)]", detail=_SECONDS),
        *_forms(Operation.SESSION_START, "会话开始"),
        *_forms(Operation.TIME_CONTEXT, "时间上下文: 周{target} {detail}时", target="[一二三四五六日]", detail=_HOUR),
    ],
    "en": [
        *_forms(Operation.WINDOW_FOCUS, "Switched to window: {target}[ (app: {app})]"),
        *_forms(Operation.PROCESS_START, "Started app: {target}"),
        *_forms(Operation.PROCESS_END, "Closed app: {target}"),
        *_forms(Operation.WEB_VISIT, "Visited site {target}[, page '{detail}']", target=r"\S+?", detail=".*"),
        *_forms(Operation.FILE_ACCESS, "Opened file: {target}[ (in {detail})]"),
        *_forms(Operation.FILE_SAVE, "Saved file: {target}[ (in {detail})]"),
        *_forms(Operation.APP_USAGE, "Used app: {target}[ (for {detail} s)]", detail=_SECONDS),
        *_forms(Operation.SESSION_START, "Session started"),
        *_forms(Operation.TIME_CONTEXT, "Time context: {target} {detail}h", target="[MTWFS][a-z]{2}", detail=_HOUR),
    ],
}
_START = 4  # characters at the start of a form that distinguish most forms
_BY_START: defaultdict[str, list[tuple[Language, Form]]] = defaultdict(list)
for _language, _rows in FORMS.items():
    for _each in _rows:
        _BY_START[_each.template[:_START]].append((_language, _each))


def clean(text: str) -> str:
    """Return the text without control characters and unpaired surrogates, at most `MAX_TEXT` characters."""
    return _printable(text[:MAX_TEXT])


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text)


def parse(line: str, zone: tzinfo) -> Event:
    """Return the event of a line whose clock is in `zone`. Raises GrammarError for a line of no known form."""
    at, fields = split(line)
    return Event(at.replace(tzinfo=zone), **fields)


def split(line: str) -> tuple[datetime, dict[str, Any]]:
    """Return the time that a line's clock shows, and the other fields of its event. Raises GrammarError likewise."""
    if len(line) > MAX_LINE:
        raise GrammarError(f"the line is longer than {MAX_LINE} characters")
    parts = _LINE.fullmatch(line)
    if not parts:
        raise GrammarError("the line does not begin with 'YYYY-MM-DD HH:MM:SS - '")
    try:
        at = datetime.fromisoformat(parts[1])
    except ValueError as error:
        raise GrammarError(f"the line's time is not a date and time: {error}") from error
    read = _read_repeated if len(parts[2]) <= MAX_TEXT else _read_action
    return at, read(parts[2])


def _read_action(text: str) -> dict[str, Any]:
    """Return the fields of an event that the text of an action names."""
    text = _printable(text)
    for language, form in _BY_START.get(text[:_START], ()):
        if found := form.pattern.fullmatch(text):
            fields = {name: value[:MAX_TEXT] for name, value in found.groupdict().items()}
            if form.operation is Operation.TIME_CONTEXT:
                fields["target"] = str(_weekday(fields["target"], language))
            return {"operation": form.operation} | fields
    raise GrammarError("the line's action has no known form")


_read_repeated = lru_cache(MAX_ACTIONS)(_read_action)


def _weekday(name: str, language: Language) -> int:
    if name not in _WEEKDAYS[language]:
        raise GrammarError("the line's weekday is unknown")
    return _WEEKDAYS[language].index(name) + 1


def language_of(line: str) -> Language | None:
    """Return the language of a line, or None if it has no known form."""
    split = _LINE.fullmatch(line)
    action = _printable(split[2]) if split else ""
    forms = _BY_START.get(action[:_START], ())
    return next((language for language, form in forms if form.pattern.fullmatch(action)), None)


def write_action(action: Action, language: Language, detail: str = "") -> str:
    """Return the text of an action; `detail` is the page title of a visit or the seconds of an app's usage."""
    app = action.place if action.operation is Operation.WINDOW_FOCUS else ""
    detail = action.place if action.operation in FILES else detail
    target = action.target
    if action.operation is Operation.TIME_CONTEXT:
        target = _WEEKDAYS[language][int(target) - 1]
    given = {"app": app, "detail": detail}
    form = next(
        form
        for form in FORMS[language]
        if form.operation is action.operation and all(given[need] for need in form.needs)
    )
    return form.template.format(target=target, app=app, detail=detail)


def write_line(at: datetime, action: Action, language: Language, detail: str = "") -> str:
    """Return an event line with the local time of `at`."""
    clock = at.replace(tzinfo=None).isoformat(" ", "seconds")
    return f"{clock} - {write_action(action, language, detail)}"


def write(event: Event, language: Language) -> str:
    """Return the line of an event."""
    return write_line(event.at, event.told, language, event.detail)
