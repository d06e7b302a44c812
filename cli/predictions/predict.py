"""`memo predict`: what comes next, now, for a file, or as a filter."""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.predictions.predict_file import answer_file
from cli.predictions.predict_stream import Asked, answers, as_answer
from cli.terminal.progress import spinner
from cli.terminal.store_access import read_session
from cli.terminal.text import describe, say_no_more
from memo.core.errors import GrammarError, MemoError, UsageError
from memo.core.grammar import Language
from memo.core.paths import Home
from memo.core.settings import Settings

BUILTIN = "builtin"
WAIT = "loading the language model"
STREAM = """A filter, one JSON object a line: {"event": LINE} teaches, {"window": [LINE, …]} gets one line back."""


def predict(
    given: Annotated[list[str] | None, typer.Argument(metavar="LINES|FILE", show_default=False)] = None,
    stream: Annotated[bool, typer.Option("--stream", help=STREAM)] = False,
    top: Annotated[
        int | None, typer.Option(min=1, max=200, help="Candidates of an answer.", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Answers to a file: .csv or .jsonl.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Say what comes next: after the newest events, after event LINES, or for every window of a FILE.

    Example: `memo predict "2026-03-02 09:15:04 - Started app: Firefox"`

    Example: `memo predict windows.json --out answers.csv`
    """
    from memo.core import logs

    settings, home = Settings.load(), Home.find()
    logs.setup(home.logs, "cli")
    top = top or settings.predict.top
    file = Path(given[0]) if given and len(given) == 1 and given[0].endswith((".json", ".txt")) else None
    if stream:
        _stream(settings, home, top)
    elif file:
        answer_file(file, _asked(settings, home, top), settings.window.size, out, force, as_json)
    elif out:
        raise UsageError("--out takes the answers of a FILE of windows (.json) or of event lines (.txt); name one.")
    elif given:
        _show(_given(_asked(settings, home, top), given), settings.language, as_json)
    else:
        with spinner(WAIT):
            answer = _newest(settings, home, top)
        _show(answer, settings.language, as_json)


def _asked(settings: Settings, home: Home, top: int) -> Asked:
    """A stream under what serves the scope of the settings."""
    with spinner(WAIT):
        from worker.predictors.serving import Serving

        serving = Serving(settings.model)
        name, folder = _active(settings, home)
        return Asked(
            lambda: serving.predictor(name, folder), name, settings.zone, settings.language, top, settings.window.size
        )


def _active(settings: Settings, home: Home) -> tuple[str, Path | None]:
    """Name and folder of the active version; the built-in one where there is no store yet."""
    from db.prediction import versions

    with read_session(settings, home) as session:
        row = versions.find_serving(session, settings.scope, settings.scope) if session else None
    return (row.id, Path(row.path)) if row else (BUILTIN, None)


def _stream(settings: Settings, home: Home, top: int) -> None:
    out = sys.stdout
    out.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        with redirect_stdout(sys.stderr):  # a library that prints must not break the protocol
            for answer in answers(_asked(settings, home, top), sys.stdin.buffer):
                out.write(answer + "\n")
                out.flush()
    except BrokenPipeError:
        say_no_more()


def _given(asked: Asked, lines: list[str]) -> dict[str, Any]:
    try:
        return asked.ask(lines)
    except GrammarError as error:
        wrong = lines[0] if len(lines) == 1 else f"One of the {len(lines)} lines"
        raise UsageError(
            f"{wrong} can't be read ({error}); give event lines, or one file that ends with .json or .txt."
        ) from error


def _newest(settings: Settings, home: Home, top: int) -> dict[str, Any]:
    """What follows the newest event of the scope that was active last."""
    from db.intake import events, scopes
    from db.prediction import checkpoints, versions
    from worker.predictors.serving import Serving

    with read_session(settings, home) as session:
        scope = events.find_last_active_scope(session) if session else None
        if scope is None:
            raise MemoError("There are no events yet; add some with `memo import FILE`, or name event lines.")
        row, state = versions.find_serving(session, scope, settings.scope), scopes.find_scope(session, scope)
        version, folder = (row.id, Path(row.path)) if row else (BUILTIN, None)
        learned = checkpoints.find_weights(session, scope, version, state.generation if state else 0)
        seen = list(events.find_all_events(session, scope))
    predictor = Serving(settings.model).predictor(version, folder, learned.weights if learned else None)
    for event in seen:
        predictor.learn(event)
    window = seen[-settings.window.size :]
    answer = as_answer(predictor.predict(window, top), window[-1].at, settings.language)
    return answer | {"model": version, "scope": scope}


def _show(answer: dict[str, Any], language: Language, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if as_json:
        print(json.dumps(answer))
        return
    table = Table("", *(describe(name, language) for name in ("probability", "next", "time")), box=None)
    for number, candidate in enumerate(answer["candidates"], 1):
        time, _, action = candidate["text"].partition(" - ")
        table.add_row(str(number), f"{candidate['probability']:.3f}", Text(action), time)
    table.add_row("", f"{answer['new_probability']:.3f}", describe("something new", language), "")
    Console().print(table)
