"""`memo up` and `memo down`."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.terminal.progress import spinner
from cli.terminal.text import print_line, safe, say_no_more
from memo.core import logs
from memo.core.errors import MemoError, UsageError
from memo.core.files import open_private
from memo.core.paths import Home
from memo.core.settings import Settings, default_toml
from memo.stack import child, running
from memo.stack.broker import broker_url, check_broker
from memo.stack.process_specs import BROKER, PARTS
from memo.stack.spawn import python_command
from memo.stack.supervisor import Supervisor

READY_S = 90.0
"""A stack that is not ready by then has failed."""
DOWN_S = 12.0
POLL_S = 0.05
SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "day.txt"
SAMPLE_SPEED = 60.0
"""The day at the first run takes about a minute."""
LONGEST = 1e9
"""Seconds, and times as fast: above it a timer of the system overflows."""


class PartName(StrEnum):
    """Parts that a container of their own can run."""

    COLLECTOR = "collector"
    WORKER = "worker"
    DISPATCHER = "dispatcher"
    BEAT = "beat"


def up(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, show predictions live, end at Ctrl-C.")
    ] = False,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", readable=False, help="Send a file's events the whole way.", show_default=False),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(min=0, max=LONGEST, help="Of a replay: so many times as fast as it was; 0: as fast as it goes."),
    ] = 0.0,
    coalesce: Annotated[
        bool, typer.Option("--coalesce", help="Replay by the live rule: only the newest event is predicted.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option("--for", min=1, max=LONGEST, metavar="SECONDS", help="End after so long.", show_default=False),
    ] = None,
    part: Annotated[
        PartName | None, typer.Option(help="Only this one, for a container of its own.", show_default=False)
    ] = None,
) -> None:
    """Start MEMO: in the background, or with --foreground here.

    Example, each hour of a file in a minute: `memo up --foreground --replay day.txt --speed 60`
    """
    from data.importers import look_through
    from data.replay import scope_of

    if replay is not None and not os.path.isfile(replay):  # that of Path raises for some
        raise UsageError(f"{replay} is no file; name a file of windows or of event lines.")
    home = Home.find()
    _write_settings(home)
    settings = Settings.load()
    if replay is not None:
        look_through(replay, settings.zone)
    if (pid := running.holder(home)) is not None:
        raise running.taken(pid)
    names = [str(part)] if part else [one.name for one in PARTS]
    if not settings.broker_url:
        names = [BROKER.name, *names]
    is_new = _prepare(home, settings, names)
    if PartName.WORKER in names and (missing := _missing(settings.model.base)):
        print(safe(missing), flush=True)
    if PartName.COLLECTOR in names and (past := _past(home, settings)):
        print(past, flush=True)
    if is_new and foreground and replay is None and part is None:
        replay, speed = SAMPLE, speed or SAMPLE_SPEED
        print("Nothing is stored yet: for a start, a day of an invented person is played.", flush=True)
    if replay is not None and not coalesce:
        os.environ["MEMO_PREDICT__EVERY"] = scope_of(replay)  # for the parts
    given = [str(replay.absolute()), "--speed", str(speed)] if replay else []
    if foreground:
        sys.exit(0 if _here(home, settings, names, given, seconds, shown=part is None) else 1)
    _background(home, names, [*(("--replay", *given) if given else ()), *(("--for", str(seconds)) if seconds else ())])


def down() -> None:
    """Stop MEMO; what is stored stays."""
    home = Home.find()
    if (pid := running.holder(home)) is None:
        print("MEMO does not run.")
        return
    with suppress(ProcessLookupError):  # it was just ending
        supervisor = os.pidfd_open(pid)  # readable when the process, not only its lock, is gone
        try:
            signal.pidfd_send_signal(supervisor, signal.SIGTERM)
            if not select.select([supervisor], [], [], DOWN_S)[0]:
                raise MemoError(f"MEMO did not stop within {DOWN_S:.0f} s; end it with `kill -9 {pid}`.")
        finally:
            os.close(supervisor)
    print("MEMO is stopped.")


def _write_settings(home: Home) -> None:
    """The settings file with every key commented out, at the first time."""
    if home.config.exists():
        return
    try:
        home.config.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = home.config.with_suffix(".new")
        with open(fresh, "w", encoding="utf-8", opener=open_private) as file:  # a URL in it may hold a password
            file.write(default_toml())
        fresh.replace(home.config)  # whole or not at all
    except OSError as error:
        raise MemoError(
            f"{home.config} can't be written ({error.strerror}); make room for it, or mend its folder."
        ) from error


def _prepare(home: Home, settings: Settings, names: list[str]) -> bool:
    """Check the broker and bring the store up to date; whether nothing is stored yet."""
    from db import migrate
    from db.engine import open_store
    from db.intake import events
    from db.upkeep import runs

    url = broker_url(home, settings)
    if settings.broker_url:
        check_broker(url)
    migrate.upgrade(settings, home)
    store = open_store(settings, home)
    try:
        with store.write() as session:
            if PartName.DISPATCHER in names:  # only its supervisor trains; the others may start beside a run
                runs.record_interrupted_queued(session)
            return events.find_last_active_scope(session) is None and not any(home.inbox.iterdir())
    finally:
        store.close()


def _missing(base: str) -> str:
    """What a person should know where the base model is not on this machine; empty where it is."""
    if base == "builtin" or Path(base).expanduser().is_dir():
        return ""
    from huggingface_hub import try_to_load_from_cache

    with suppress(ValueError):  # no hub name, as a path
        if try_to_load_from_cache(base, "config.json") is not None:
            return ""
    return (
        f"The base model {base} is not on this machine, so history answers alone; "
        f"run `memo model pull {base}`, or set model.base to builtin or to a model's folder."
    )


def _past(home: Home, settings: Settings) -> str:
    """What a person should know where histories are read for the first time; empty where they are not."""
    from cli.terminal.store_access import read_session
    from collector.sources.web.web_profiles import find_profiles
    from collector.sources.web.web_reader import SOURCE
    from db.intake import cursors

    if SOURCE not in settings.sources.on or not settings.sources.web_days or not find_profiles():
        return ""
    with read_session(settings, home) as session:
        if session is not None and cursors.has_cursors(session, SOURCE):
            return ""
    return (
        f"The last {settings.sources.web_days} days of your browsers' histories are read first; "
        "`memo sources` shows how far that is."
    )


def _here(
    home: Home, settings: Settings, names: list[str], replay: list[str], seconds: float | None, shown: bool
) -> bool:
    """Run the parts in this terminal, with what they predict; whether all went well."""
    from cli.predictions.watch import live

    with running.hold(home):
        logs.setup(home.logs, "supervisor")
        over = threading.Event()

        def say(sentence: str) -> None:
            with _ending_unread(supervisor):
                print_line(safe(sentence))

        def show() -> None:
            with _ending_unread(supervisor):
                live(home, settings, over)

        view = threading.Thread(target=show)
        supervisor = Supervisor(home, names, say)
        supervisor.handle_signals(seconds)
        if shown:
            say(f"Your events: append lines to a file in {home.inbox}. Ctrl-C stops.")
            view.start()
        try:
            return supervisor.run(replay, "stopping…" if shown else "")
        finally:
            over.set()
            if shown:
                view.join()


@contextmanager
def _ending_unread(supervisor: Supervisor) -> Iterator[None]:
    """End where whoever read our output, as in `memo up --foreground | head`, has gone."""
    try:
        yield
    except BrokenPipeError:
        say_no_more()
        supervisor.stop()


def _background(home: Home, names: list[str], options: list[str]) -> None:
    """Leave a supervisor behind, and wait until all serve."""
    output = home.logs / "supervisor.out"
    output.unlink(missing_ok=True)
    supervisor = child.start(python_command("memo.stack.supervisor", *names, *options), output)
    with spinner("starting; the language model takes some seconds"):
        _wait_until_ready(supervisor, home, output)
    print(f"MEMO runs (process {supervisor.pid}). `memo watch` shows predictions; event lines go into {home.inbox}.")


def _wait_until_ready(supervisor: "subprocess.Popen[bytes]", home: Home, output: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        states = {part["state"] for part in running.state(home).get("parts", [])}
        if states == {child.ChildState.RUNNING}:
            return
        if supervisor.poll() is not None and (pid := running.holder(home)) is not None:
            raise running.taken(pid)  # who was faster may have removed the output of ours
        if child.ChildState.FAILED in states or supervisor.poll() is not None:
            raise MemoError(child.last_line(output) or f"MEMO ended before it was ready; see {home.logs}.")
        time.sleep(POLL_S)
    raise MemoError(f"MEMO is not ready after {READY_S:.0f} s; see `memo status` and {home.logs}.")
