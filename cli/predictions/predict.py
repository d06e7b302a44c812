"""`memo predict`: predict what comes next, for the newest events, for a file, or as a filter."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

from cli.predictions.predict_file import predict_file
from cli.predictions.predict_stream import PredictStream, as_answer, as_degraded, stream_answers
from cli.terminal.options import Force, Json, argument, flag, option
from cli.terminal.output import discard_output, print_json, print_notice, print_table, print_text
from cli.terminal.progress import spinner
from db.store_access import find_active_version, read_store
from memo.core.errors import GrammarError, MemoError, UsageError
from memo.core.grammar import Language
from memo.core.paths import Home
from memo.core.predictions import action_from_dict, first_in_places, place_from_dict
from memo.core.settings import Settings
from memo.core.steps import Progress
from memo.display.text import describe, safe, short

PLACES = 5  # places shown
WAIT = "loading the language model"
LEARNING = "learning the events ({:,} of {:,})"
NO_EVENTS = "There are no events yet; add some with `memo import FILE`, or give event lines."
STREAM = """Run as a filter, one JSON object per line: {"event": LINE} is learned, {"window": [LINE, …]} is answered."""


def predict(
    given: Annotated[list[str] | None, argument(metavar="LINES|FILE", help="Event lines, or one file.")] = None,
    stream: Annotated[bool, flag("--stream", STREAM)] = False,
    top: Annotated[int | None, option(metavar="N", min=1, max=200, help="Number of candidates.")] = None,
    out: Annotated[Path | None, option(metavar="FILE", help="Write the answers to this .csv or .jsonl file.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Predict what comes next.

    Without an argument, MEMO predicts what follows the newest event of the scope whose event was stored last. With
    event LINES, it predicts what follows them; with a FILE of event lines (.txt) or of windows (.json), which are short
    runs of events, what follows each window. It then knows these events and the version in use, but not your stored
    events.

    Example: `memo predict "2026-03-02 09:15:04 - Started app: Firefox"`

    Example: `memo predict windows.json --out answers.csv`
    """
    from memo.core import logs

    if stream and (given or out or force):
        raise UsageError("--stream reads lines from standard input and writes to standard output; leave out the rest.")
    settings, home = Settings.load(), Home.find()
    logs.setup(home.logs, "cli")
    top = top or settings.predict.top
    file = Path(given[0]) if given and len(given) == 1 and given[0].endswith((".json", ".txt")) else None
    if stream:
        _run_filter(_open_stream(settings, home, top))
    elif file:
        predict_file(file, _open_stream(settings, home, top), settings.window.size, out, force, as_json)
    elif out or force:
        raise UsageError("--out and --force need a FILE of windows (.json) or of event lines (.txt); name one.")
    elif given:
        show_answer(_after_lines(_open_stream(settings, home, top), given), settings.language, as_json)
    else:
        with spinner(WAIT) as shown:
            answer = answer_newest(settings, home, top, lambda done, total: shown.update(LEARNING.format(done, total)))
        if not as_json and answer["scope"] != settings.scope:
            print_text(f"{describe('scope', settings.language)}: {answer['scope']}")
        show_answer(answer, settings.language, as_json)


def _open_stream(settings: Settings, home: Home, top: int) -> PredictStream:
    """Return an empty stream for the version that serves the scope of the settings."""
    with spinner(WAIT):
        from worker.predictors.serving import Serving

        serving = Serving(settings.model)
        name, folder, replaced = find_active_version(settings, home)
        return PredictStream(
            lambda: serving.predictor(name, folder),
            name,
            settings,
            top,
            lambda: as_degraded(serving.problem, replaced),
        )


def _run_filter(stream: PredictStream) -> None:
    out = sys.stdout
    out.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        with redirect_stdout(sys.stderr):  # a library that prints must not break the protocol
            for answer in stream_answers(stream, sys.stdin.buffer):
                out.write(answer + "\n")
                out.flush()
    except BrokenPipeError:
        discard_output()


def _after_lines(stream: PredictStream, lines: list[str]) -> dict[str, Any]:
    try:
        return stream.answer(lines)
    except GrammarError as error:
        wrong = lines[0] if len(lines) == 1 else f"One of the {len(lines)} lines"
        raise UsageError(
            f"{wrong} can't be read ({error}); give event lines, or one file that ends with .json or .txt."
        ) from error


def answer_newest(settings: Settings, home: Home, top: int, progress: Progress) -> dict[str, Any]:
    """Return what follows the newest event of the scope whose event was stored last, as a worker that starts now would.

    `progress` counts the events learned.
    """
    from db.intake import events, scopes
    from db.prediction import versions
    from memo.privacy.exclusions import make_action_matcher
    from worker.prediction.scope_models import ScopeModels
    from worker.predictors.serving import Serving
    from worker.resources import StoreResources

    with read_store(settings, home) as store:
        if store is None:
            raise MemoError(NO_EVENTS)
        with store.read() as session:
            scope = events.find_last_active_scope(session)
            if scope is None:
                raise MemoError(NO_EVENTS)
            row, newest = scopes.find_scope(session, scope), events.find_newest(session, scope)
            assert row is not None and newest is not None
            version = versions.find_usable(session, home, settings.model.base, scope, settings.scope)
        models = ScopeModels(StoreResources(home, settings, store), Serving(settings.model))
        model, _ = models.read(row, version, newest.seq, progress)
    ranking = model.rank(top, make_action_matcher(settings.privacy))
    found = as_answer(ranking, newest.local_at, settings.language) | {"model": version.name, "scope": scope}
    return found | as_degraded(models.serving.problem, version.problem)


def show_answer(answer: dict[str, Any], language: Language, as_json: bool) -> None:
    """Print an answer as a table or as JSON."""
    if as_json:
        print_json(answer)
        return
    if degraded := answer.get("degraded"):
        print_notice(degraded)
    _show_person(answer, language)
    rows = []
    for number, candidate in enumerate(answer["candidates"], 1):
        time, _, action = candidate["text"].partition(" - ")
        rows.append((str(number), f"{candidate['probability']:.3f}", action, time))
    rows.append(("", f"{answer['new_probability']:.3f}", describe("something new", language), ""))
    print_table(("", *(describe(name, language) for name in ("probability", "next", "time"))), rows)


def _show_person(answer: dict[str, Any], language: Language) -> None:
    """Print the likeliest places of the person's next action, each with the likeliest action there."""
    if not answer.get("places"):
        return
    there = first_in_places(action_from_dict(entry["action"]) for entry in answer["person"])
    rows = []
    for number, place in enumerate(answer["places"][:PLACES], 1):
        action = there.get(place_from_dict(place))
        words = short(action, language) if action else ""
        rows.append((str(number), f"{place['probability']:.3f}", safe(place["name"]), words))
    print_table(("", *(describe(name, language) for name in ("probability", "where", "what you do next"))), rows)
