"""`memo setup`, which the first `memo up --foreground` on a desktop asks, too."""

import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.setup.kinds import ACTIVITYWATCH, FILES, KINDS, WINDOWS, WORDS, RecordedKind
from cli.terminal.options import flag
from cli.terminal.output import print_paragraph
from db.store_access import read_session
from memo.config import settings_file
from memo.core.errors import MemoError, UsageError
from memo.core.grammar import Language, write
from memo.core.paths import Home
from memo.core.settings import FOCUS_SOURCES, Settings, find_origin, find_variable, setting_of
from memo.stack import running

ON, URL, LANGUAGE = "sources.on", "sources.activitywatch_url", "language"
DAYS = 30  # of the past, where the settings say none
SCRIPTED = {"GNOME", "KDE"}  # desktops whose windows under Wayland are told by a script inside them alone
ANSWERS = {"y": True, "yes": True, "是": True, "n": False, "no": False, "否": False}
SCRIPTS = Path(__file__).parents[2] / "collector" / "desktop"  # for those desktops
USUAL_URL = "http://127.0.0.1:5600"  # of an ActivityWatch server
ANSWER_S = 1.0  # for it to answer


def setup(
    yes: Annotated[bool, flag("--yes", "Take all default answers without asking.")] = False,
) -> None:
    """Choose what MEMO records, one kind of event after another, each with an example of what is stored.

    The answers are written into memo.toml, whose comments stay. The first `memo up --foreground` on a desktop asks the
    same.
    """
    home = Home.find()
    if not yes and not has_terminal():
        raise UsageError(
            "Nobody can answer without a terminal; `memo setup --yes` takes the default answers, and "
            "`memo config set sources.on inbox web` names sources."
        )
    before = settings_file.read_text(home)
    language = ask(home, Settings.load(), yes)
    if running.holder(home) is None:
        print_paragraph(WORDS[language]["start"])
    elif settings_file.read_text(home) != before:
        print_paragraph(WORDS[language]["restart"])


def is_asked() -> bool:
    """Return whether the sources were chosen already, here or by hand."""
    return find_origin(ON) != "default"


def can_ask() -> bool:
    """Return whether somebody is at a terminal on a desktop."""
    return has_terminal() and bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def has_terminal() -> bool:
    """Return whether somebody can answer."""
    return sys.stdin.isatty()


def ask(home: Home, settings: Settings, yes: bool = False) -> Language:
    """Ask what to record, and write the answers; return the language of the questions.

    Raises UsageError if the environment decides already, and MemoError if the questions are not answered to the end.
    """
    if name := find_variable(ON, os.environ):
        raise UsageError(f"{name} in the environment says what is recorded; unset it, then run `memo setup`.")
    before, language = settings_file.read_text(home), _language(settings)
    try:
        answers = _Questions(home, settings, language, yes).answers()
    except typer.Abort:
        raise MemoError("The questions were not answered, so nothing was changed; `memo setup` asks again.") from None
    text = before
    for key, value in ({LANGUAGE: language} | answers).items():
        if key == ON or value != setting_of(settings, key):
            text = settings_file.with_value(text, key, value)
    settings_file.save(home, before, text)
    _summarize(home, Settings.load(), answers)
    return language


def _language(settings: Settings) -> Language:
    """Return the language that was chosen, else that of the session."""
    if find_origin(LANGUAGE) != "default":
        return settings.language
    spoken = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    return "zh" if spoken.startswith("zh") else "en"


class _Questions:
    """The questions, and the settings that follow from the answers; with `yes` the default answers are taken."""

    def __init__(self, home: Home, settings: Settings, language: Language, yes: bool) -> None:
        self._home, self._settings, self._language, self._yes = home, settings, language, yes
        self._words = WORDS[language]

    def answers(self) -> dict[str, Any]:
        """Ask all questions; return values of settings."""
        print_paragraph(self._words["intro"])
        found: dict[str, Any] = {ON: self._settings.sources.on}
        for kind in KINDS:
            found |= self._ask_kind(kind, found[ON])
        if url := find_activitywatch(self._settings):
            found |= self._ask_activitywatch(url, found[ON])
        return found

    def _ask_kind(self, kind: RecordedKind, on: list[str]) -> dict[str, Any]:
        name, says = kind.words[self._language]
        print_paragraph("\n" + self._words["kind"].format(f"{name[0].upper()}{name[1:]}", says))
        print_paragraph(self._words["stored"], indent=2)
        for event in kind.examples:
            print_paragraph(write(event, self._language), indent=4)
        missing = self._missing(kind)
        if missing:
            print_paragraph(missing, indent=2)
        is_wanted = self._confirm(self._words["record"].format(name), any(source in on for source in kind.sources))
        found: dict[str, Any] = {ON: _switched(on, kind.sources, is_wanted)}
        if is_wanted and kind.past and not missing and not self._has_begun(kind):
            days = setting_of(self._settings, kind.past) or DAYS
            found[kind.past] = days * self._confirm(self._words["import"].format(days), default=True)
        return found

    def _ask_activitywatch(self, url: str, on: list[str]) -> dict[str, Any]:
        print_paragraph("\n" + self._words["activitywatch"].format(url))
        is_used = bool(self._settings.sources.activitywatch_url) and ACTIVITYWATCH in on
        is_wanted = self._confirm(self._words["follow"], default=is_used)
        return {ON: _switched(on, (ACTIVITYWATCH,), is_wanted), **({URL: url} if is_wanted else {})}

    def _confirm(self, question: str, default: bool) -> bool:
        if self._yes:
            return default
        marks = "[Y/n]" if default else "[y/N]"
        parse = partial(self._parse, default=default)
        answer: bool = typer.prompt(f"  {question} {marks}", default="", show_default=False, value_proc=parse)
        return answer

    def _parse(self, answer: str, default: bool) -> bool:
        """Return what an answer says. Raises BadParameter, which has the question asked again."""
        try:
            return ({"": default} | ANSWERS)[answer.strip().lower()]
        except KeyError:
            raise typer.BadParameter(self._words["yes or no"]) from None

    def _missing(self, kind: RecordedKind) -> str:
        """Return why this machine can't record a kind yet; empty if it can."""
        from collector.plugins import make_source

        sources = FOCUS_SOURCES if kind is WINDOWS else kind.sources[:1]
        lacks = {name: make_source(name, self._settings, self._home).missing() for name in sources}
        if lacks.get("x11") and set(os.environ.get("XDG_CURRENT_DESKTOP", "").split(":")) & SCRIPTED:
            return self._words["extension"].format(SCRIPTS)
        return self._words["not yet"].format(lacks[sources[0]]) if all(lacks.values()) else ""

    def _has_begun(self, kind: RecordedKind) -> bool:
        """Return whether the past of a kind was read already, or left out for good."""
        from db.intake import cursors

        if kind is FILES and not self._settings.sources.recent_days:
            return False
        with suppress(MemoError), read_session(self._settings, self._home) as session:
            return session is not None and cursors.has_cursors(session, kind.sources[0])
        return True  # the store can't be read


def _switched(on: list[str], sources: tuple[str, ...], is_wanted: bool) -> list[str]:
    """Return the sources that are on after an answer; those of a kind that stays on are as they were."""
    if is_wanted:
        return on if any(source in on for source in sources) else [*on, *sources]
    return [source for source in on if source not in sources]


def find_activitywatch(settings: Settings, answer_s: float = ANSWER_S) -> str:
    """Return the address of an ActivityWatch server that answers, the one in the settings or on this machine."""
    from collector.sources.activitywatch.aw_server import Server

    url = settings.sources.activitywatch_url or USUAL_URL
    with suppress(MemoError):
        Server(url, timeout_s=answer_s).buckets()
        return url
    return ""


def _summarize(home: Home, settings: Settings, answers: dict[str, Any]) -> None:
    language, on = settings.language, settings.sources.on
    words = WORDS[language]
    recorded = [kind for kind in KINDS if any(source in on for source in kind.sources)]
    past = [(kind, days) for kind in recorded if (days := answers.get(kind.past))]
    names = (kind.words[language][0] for kind in recorded)
    print_paragraph("\n" + words["done"].format(words["list"].join(names) or words["nothing"]))
    if past:
        imported = (words["days"].format(kind.words[language][0], days) for kind, days in past)
        print_paragraph(words["past"].format(words["list"].join(imported)))
    print_paragraph(words["never"])
    print_paragraph(words["file"].format(home.config))
