"""Any event survives its line, and any line is read or refused."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from memo.core.errors import GrammarError
from memo.core.events import Event, Operation
from memo.core.grammar import Language, language_of, parse, write

AT = datetime(2026, 3, 3, 21, 15, 4, tzinfo=timezone(timedelta(hours=8)))
CLOCK = "2026-03-03 21:15:04 - "
FORMS: list[tuple[Any, ...]] = [
    (Operation.PROCESS_START, "a.exe"),
    (Operation.PROCESS_END, "a b"),
    (Operation.WINDOW_FOCUS, "T", "a"),
    (Operation.WINDOW_FOCUS, "T"),
    (Operation.WEB_VISIT, "a.b", "", "T"),
    (Operation.WEB_VISIT, "a.b"),
    (Operation.FILE_ACCESS, "f", "", "C:\\d"),
    (Operation.FILE_ACCESS, "f"),
    (Operation.FILE_SAVE, "f", "", "C:\\d"),
    (Operation.FILE_SAVE, "f"),
    (Operation.APP_USAGE, "a", "", "3.5"),
    (Operation.APP_USAGE, "a"),
    (Operation.SESSION_START,),
    (Operation.TIME_CONTEXT, "2", "", "21"),
]
printable = st.characters(exclude_categories=("Cc", "Cs"))
texts = st.text(printable, min_size=1, max_size=40)
words = st.text(st.characters(exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=40)
apps = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="()"), max_size=20)
zones = st.timezones() | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(timezones=zones, allow_imaginary=False).map(lambda at: at.replace(microsecond=0, fold=0))
languages = st.sampled_from(["zh", "en"])
kinds = st.one_of(
    st.tuples(st.sampled_from([Operation.PROCESS_START, Operation.PROCESS_END]), texts, st.just(""), st.just("")),
    st.tuples(st.just(Operation.WINDOW_FOCUS), texts, apps, st.just("")),
    st.tuples(st.just(Operation.WEB_VISIT), words, st.just(""), st.text(printable, max_size=40)),
    st.tuples(st.sampled_from([Operation.FILE_ACCESS, Operation.FILE_SAVE]), texts, st.just(""), apps),
    st.tuples(st.just(Operation.APP_USAGE), texts, st.just(""), st.from_regex(r"([0-9]+(\.[0-9]+)?)?", fullmatch=True)),
    st.tuples(st.just(Operation.SESSION_START), st.just(""), st.just(""), st.just("")),
    st.tuples(
        st.just(Operation.TIME_CONTEXT),
        st.sampled_from("1234567"),
        st.just(""),
        st.from_regex("[0-9]{1,2}", fullmatch=True),
    ),
)


@settings(deadline=None)
@given(times, kinds, languages)
def test_any_event_is_read_back_from_its_line(
    at: datetime, kind: tuple[Operation, str, str, str], language: Language
) -> None:
    operation, target, app, detail = kind
    assume(app or detail or not target.endswith(")"))  # such a title may look like the form with an app
    event = Event(at, operation, target, app, detail)
    line = write(event, language)
    assert language_of(line) == language
    assert at.tzinfo is not None
    assert parse(line, at.tzinfo) == event


languages_written: tuple[Language, ...] = ("zh", "en")
heads = st.sampled_from(
    [write(Event(AT, *form), language).removeprefix(CLOCK) for form in FORMS for language in languages_written]
)


@settings(deadline=None)
@given(
    st.text()
    | st.text().map(CLOCK.__add__)
    | st.tuples(heads, st.text(), st.text()).map(lambda parts: CLOCK + parts[0].replace("T", parts[1]) + parts[2])
)
@example(CLOCK + "切换到窗口: a\x1f(应用: b)")
def test_any_text_is_an_event_that_lasts_or_a_grammar_error(text: str) -> None:
    with suppress(GrammarError):
        event = parse(text, UTC)
        assert parse(write(event, language_of(text) or "en"), UTC) == event
