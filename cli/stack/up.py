"""`memo up`."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.setup import setup
from cli.setup.kinds import WORDS
from cli.stack.down import DOWN_S
from cli.stack.first_run import browser_import_notice, missing_model_notice, prepare_store, unknown_zone_notice
from cli.terminal.options import flag, option
from cli.terminal.output import discard_output, print_paragraph, print_text
from cli.terminal.progress import spinner
from memo.config import settings_file
from memo.core import logs
from memo.core.errors import MemoError, UsageError
from memo.core.files import describe_full
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.service.service_manager import Notifier
from memo.stack import child, running
from memo.stack.process_specs import BROKER, PARTS
from memo.stack.spawn import python_command
from memo.stack.supervisor import Supervisor

READY_S = 90.0  # a stack that is not ready by then has failed
POLL_S = 0.05
SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "day.txt"
SAMPLE_SPEED = 60.0  # times real time; as no pause exceeds a second, the sample day takes about a minute
CHOSEN = "`memo sources` shows what is recorded, and `memo setup` changes that."
LONGEST = 10**9  # seconds of --for, and the highest --speed; larger values overflow the system's timers
PartName = Literal["collector", "worker", "dispatcher"]  # parts that can run in a container of their own


def up(
    foreground: Annotated[
        bool, flag("--foreground", "Stay in this terminal and show predictions until Ctrl-C.")
    ] = False,
    replay: Annotated[
        Path | None,
        option(
            metavar="FILE",
            readable=False,
            help="Send the events of a file through the whole pipeline, apart from your own events.",
        ),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(
            metavar="N",
            min=0,
            max=LONGEST,
            help="Replay N times as fast as it happened, with pauses of at most 1 s; 0: at full speed.",
        ),
    ] = 0.0,
    coalesce: Annotated[
        bool, flag("--coalesce", "In a replay, predict only after the newest event, as in real use.")
    ] = False,
    seconds: Annotated[
        float | None, option("--for", metavar="SECONDS", min=1, max=LONGEST, help="Stop after this time.")
    ] = None,
    part: Annotated[
        PartName | None,
        option(help="Run only this part, as in a container of its own; with the embedded broker, that runs too."),
    ] = None,
) -> None:
    """Start MEMO in the background, or in this terminal.

    Example, a minute of a file per second, with long pauses cut: `memo up --foreground --replay day.txt --speed 60`
    """
    if replay is not None and not os.path.isfile(replay):  # Path.is_file raises for some names
        raise UsageError(f"{replay} is not a file; name a file of events or windows (docs/events.md).")
    home = Home.find()
    with running.hold(home, running.STARTING) as lock:
        _start(home, lock, foreground, replay, speed, coalesce, seconds, part)


def _start(
    home: Home,
    lock: running.Lock,
    foreground: bool,
    replay: Path | None,
    speed: float,
    coalesce: bool,
    seconds: float | None,
    part: PartName | None,
) -> None:
    """Prepare the home and start the parts; the lock is held, so no other command does the same meanwhile."""
    from data.importers import look_through
    from data.replay import scope_of

    if words := describe_full(home.root):
        raise MemoError(words)
    settings_file.write_default(home)
    settings = Settings.load()
    if replay is not None:
        look_through(replay, settings.zone)
    names: list[str] = [part] if part else [spec.name for spec in PARTS]
    if not settings.broker_url:
        names = [BROKER.name, *names]
    notifier, is_told = Notifier.take(), False
    is_new = prepare_store(home, settings, requeue="dispatcher" in names)
    if is_new and foreground and replay is None and part is None and not notifier:
        if setup.can_ask():
            settings, is_told = _ask_once(home, settings)
        else:
            replay, speed = SAMPLE, speed or SAMPLE_SPEED
            print_paragraph(
                "Nothing is recorded yet, so a sample day of an invented person is played first. That takes a minute; "
                "what you do yourself follows."
            )
    if notice := unknown_zone_notice(home, settings):
        print_text(notice)
    if "worker" in names and (notice := missing_model_notice(settings.model.base)):
        print_text(notice)
    if "collector" in names and not is_told and (notice := browser_import_notice(home, settings)):
        print_text(notice)
    if replay is not None and not coalesce:
        os.environ["MEMO_PREDICT__EVERY"] = scope_of(replay)  # for the parts
    replay_options = [str(replay.absolute()), "--speed", str(speed)] if replay else []
    if foreground:
        live_view = part is None and not notifier  # a journal would keep what it shows
        sys.exit(0 if _run_here(home, settings, lock, names, replay_options, seconds, live_view, notifier) else 1)
    options = [*(("--replay", *replay_options) if replay else ()), *(("--for", str(seconds)) if seconds else ())]
    start_in_background(home, lock, names, options)


def _ask_once(home: Home, settings: Settings) -> tuple[Settings, bool]:
    """Ask what to record, unless that was chosen before; return the resulting settings, and whether it asked."""
    if setup.is_asked():
        return settings, False
    language = setup.ask(home, settings)
    print_paragraph("\n" + WORDS[language]["next"])
    return Settings.load(), True


def _run_here(
    home: Home,
    settings: Settings,
    lock: running.Lock,
    names: list[str],
    replay: list[str],
    seconds: float | None,
    live_view: bool,
    notifier: Notifier,
) -> bool:
    """Run the parts in this terminal, with the live view if asked for; return whether all parts kept running."""
    from cli.predictions.watch import live

    lock.write()
    logs.setup(home.logs, "supervisor")
    ended = threading.Event()

    def say(sentence: str) -> None:
        with _stop_without_reader(supervisor):
            print_text(sentence)

    def show() -> None:
        with _stop_without_reader(supervisor):
            live(home, settings, ended)

    view = threading.Thread(target=show)
    supervisor = Supervisor(home, names, say, notifier=notifier)
    supervisor.handle_signals(seconds)
    if live_view:
        say(CHOSEN)
        say("Ctrl-C stops MEMO.")
        view.start()
    try:
        return supervisor.run(replay, "stopping…" if live_view else "")
    finally:
        ended.set()
        if live_view:
            view.join()


@contextmanager
def _stop_without_reader(supervisor: Supervisor) -> Iterator[None]:
    """Stop once nobody reads the output any more, as in `memo up --foreground | head`."""
    try:
        yield
    except BrokenPipeError:
        discard_output()
        supervisor.stop()


def start_in_background(home: Home, lock: running.Lock, names: list[str], options: list[str]) -> None:
    """Start a supervisor that outlives this command, and wait until its parts are ready."""
    output = home.logs / "supervisor.out"
    output.unlink(missing_ok=True)
    command = python_command("memo.stack.supervisor", *names, *options, "--lock", str(lock.fileno()))
    supervisor = child.start(command, output, inherits=[lock.fileno()])
    try:
        with spinner("starting; the language model takes a few seconds"):
            wait_until_ready(supervisor, home, output)
    except KeyboardInterrupt:
        child.end([supervisor], DOWN_S)
        raise MemoError("MEMO was not started: Ctrl-C ended what had begun.") from None
    finally:
        lock.is_handed_on = supervisor.poll() is None
    for notice in running.state(home).get("notices", []):
        print_text(notice)
    print_text(f"MEMO runs (process {supervisor.pid}). `memo watch` shows its predictions.")
    print_text(CHOSEN)


def wait_until_ready(supervisor: "subprocess.Popen[bytes]", home: Home, output: Path) -> None:
    """Return once all parts are ready. Raises MemoError with the reason if one fails or time runs out."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if words := describe_full(home.root):
            child.end([supervisor], DOWN_S)
            raise MemoError(f"MEMO was not started. {words}")
        states = {part["state"] for part in running.state(home).get("parts", [])}
        if states == {child.ChildState.RUNNING}:
            return
        if child.ChildState.FAILED in states or supervisor.poll() is not None:
            raise MemoError(child.last_line(output) or f"MEMO ended before it was ready; see {home.logs}.")
        time.sleep(POLL_S)
    raise MemoError(f"MEMO is not ready after {READY_S:.0f} s; see `memo status` and {home.logs}.")
