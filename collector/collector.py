"""The collector: runs all sources, each in a thread that may fail alone, and hands what they emit to the intake."""

import signal
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from traceback import format_tb

from collector.announce import Announcer
from collector.intake import Intake
from collector.launch.watcher import Launches
from collector.plugins import make
from collector.privacy.rules import sayable
from collector.source_status import SourceState, SourceStates
from db.engine import open_store
from memo.core import logs
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Note, Past, Source, Stop
from memo.stack.backoff import BACK_OFF_S, Backoff
from memo.stack.broker import broker_url
from memo.stack.process_specs import end_with_parent, say_ready
from memo.stack.task_queue import make_app

READY_S = 5.0
"""Sources that watch later than this hold the others up no longer."""

log = logs.get_logger(__name__)


def keep_running(source: Source, intake: Intake, states: SourceStates, stop: Stop) -> None:
    """Run a source until `stop` is set; where it fails, ends before or lacks something, again after a pause."""
    back_off = Backoff(*BACK_OFF_S)
    while not stop.is_set():
        began = time.monotonic()
        state, says = _run(source, intake, states, stop)
        if not stop.is_set():
            states.put(source.name, state, says)
        stop.wait(back_off.delay_after(time.monotonic() - began))


def _run(source: Source, intake: Intake, states: SourceStates, stop: Stop) -> tuple[SourceState, str]:
    """Run a source once; how it ended."""

    def emit(given: Batch | Past | Note) -> None:
        if isinstance(given, Note):
            states.put(source.name, SourceState.WATCHING, given.says)
            log.warning(given.says or "what was wrong is over", source=source.name)
        elif isinstance(given, Past):
            with closing(states.counted(source.name, given.events)) as counted:
                intake.take_past(source.name, replace(given, events=counted))
        else:
            intake.take(source.name, given)

    try:
        if lacks := source.missing():
            source.watching.set()  # nobody waits for it
            return SourceState.MISSING, lacks
        states.put(source.name, SourceState.WATCHING)
        source.run(emit, partial(intake.cursor, source.name), stop)
    except (Exception, SystemExit) as error:  # a library may want to end the program
        says = sayable(f"{type(error).__name__}: {error}", intake.rules)
        log.error("a source failed", source=source.name, says=says, at=format_tb(error.__traceback__))
        return SourceState.FAILED, says
    log.info("a source ended", source=source.name)
    return SourceState.FAILED, "it ended by itself"


def collect(settings: Settings, home: Home, stop: Stop, ready: Callable[[], None]) -> None:
    """Collect until `stop` is set; `ready` is called when all sources watch."""
    store = open_store(settings, home)
    url = broker_url(home, settings)
    launches = Launches(store, settings)
    intake = Intake(store, settings, home, Announcer(make_app(url, settings), settings).look, launches.saw)
    states = SourceStates(home)
    found = [make(name, settings, home) for name in dict.fromkeys(settings.sources.on)]
    threads = [threading.Thread(target=keep_running, args=(source, intake, states, stop)) for source in found]
    threads.append(threading.Thread(target=launches.run, args=(stop,)))
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + READY_S
    for source in found:
        source.watching.wait(max(0.0, deadline - time.monotonic()))
    ready()
    for thread in threads:
        thread.join()
    states.close()
    store.close()


def hush_libraries() -> None:
    """Let no words of a library's own thread or warning come out: they may name a file or a title."""
    warnings.simplefilter("ignore")
    threading.excepthook = _thread_failed


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    log.error("a thread failed", kind=failed.exc_type.__name__, at=format_tb(failed.exc_traceback))


def main(part: str) -> None:
    """The process: ends at SIGTERM or SIGINT."""
    end_with_parent()
    settings, home = Settings.load(), Home.find()
    logs.setup(home.logs, part)
    hush_libraries()
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    collect(settings, home, stop, partial(say_ready, home, part))
