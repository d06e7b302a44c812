"""The collector process: runs each source in a thread of its own and hands what it emits to the intake."""

import errno
import os
import select
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from traceback import format_tb

from collector.announce import Announcer
from collector.focus.unseen import UnseenTime
from collector.intake import Intake
from collector.launch.watcher import Launches
from collector.plugins import make_source
from collector.privacy.rules import redact_text
from collector.source_status import SourceState, SourceStates
from db.engine import StoreError, open_store
from memo.core import logs
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Note, Past, Presence, Source, Stop
from memo.stack import heartbeat
from memo.stack.backoff import BACK_OFF_S, Backoff
from memo.stack.broker import broker_url, key_prefix
from memo.stack.process_specs import end_with_parent
from memo.stack.task_queue import make_app

END_S = 4.0  # for the sources to end; shorter than the supervisor waits
STORE_RETRY_S = 3.0  # longest delay before a source goes on that the store or a full disk has stopped
READY_TIMEOUT_S = 5.0  # the collector is ready then, even if a source does not watch yet

log = logs.get_logger(__name__)


class InProgress:
    """The deadline of each thread that is storing something; one that misses it makes the collector silent."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}  # by thread

    @contextmanager
    def storing(self, longest_s: float = heartbeat.BEAT_S) -> Iterator[None]:
        """Note that this thread begins to store something, and that it has done so."""
        self.goes_on(longest_s)
        try:
            yield
        finally:
            del self._until[threading.get_ident()]

    def goes_on(self, longest_s: float = heartbeat.LOADING_S) -> None:
        """Note that this thread makes progress with something long."""
        self._until[threading.get_ident()] = time.monotonic() + longest_s

    @property
    def is_stuck(self) -> bool:
        """Whether a thread has missed its deadline."""
        return any(time.monotonic() > until for until in list(self._until.values()))


class SourceRunner:
    """Runs sources until `stop` is set, each in a thread of its own, and passes on what they emit."""

    def __init__(
        self,
        intake: Intake,
        states: SourceStates,
        stop: Stop,
        back_off_s: tuple[float, float] = BACK_OFF_S,
        unseen: UnseenTime | None = None,
    ) -> None:
        self._intake, self._states, self._stop, self._back_off_s = intake, states, stop, back_off_s
        self.progress, self._unseen = InProgress(), unseen or UnseenTime(self._set_impairment)

    def keep_running(self, source: Source) -> None:
        """Run a source; restart it after a delay if it fails, ends early or lacks something."""
        backoff, is_first = Backoff(*self._back_off_s), True
        while not self._stop.is_set():
            began = time.monotonic()
            state, reason, error = self._run(source, is_first)
            is_first = False
            if not self._stop.is_set():
                self._states.set_state(source.name, state, reason)
            delay_s = backoff.delay_after(time.monotonic() - began)
            self._stop.wait(min(delay_s, STORE_RETRY_S) if _is_of_store(error) else delay_s)

    def _run(self, source: Source, is_first: bool) -> tuple[SourceState, str, BaseException | None]:
        """Run a source once; return its state after that, the reason, and the error that ended it."""
        name = source.name
        try:
            if lacks := source.missing():
                source.watching.set()  # so that nobody waits for it
                return SourceState.MISSING, lacks, None
            self._states.set_state(name, SourceState.WATCHING)
            source.run(partial(self._take, name, is_first), partial(self._intake.cursor, name), self._stop)
        except (Exception, SystemExit) as error:  # a library may try to end the program
            reason = redact_text(f"{type(error).__name__}: {error}", self._intake.rules)
            log.error("source_failed", source=name, reason=reason, at=format_tb(error.__traceback__))
            return SourceState.FAILED, reason, error
        log.info("source_ended", source=name)
        return SourceState.FAILED, "it ended unexpectedly", None

    def _take(self, name: str, is_first: bool, emitted: Batch | list[Batch] | Past | Note | Presence) -> None:
        """Store or note what a source reports.

        Only in its first run may it report a window as standing before MEMO: later ones came while MEMO ran.
        """
        if isinstance(emitted, Note):
            self._set_impairment(name, emitted.text)
        elif isinstance(emitted, Presence):
            self._unseen.note_presence(name, emitted)
        elif isinstance(emitted, Past):
            events = self._states.with_progress(name, emitted.events, self.progress.goes_on)
            with self.progress.storing(heartbeat.LOADING_S), closing(events):
                self._intake.store_past(name, replace(emitted, events=events))
        else:
            batches = emitted if isinstance(emitted, list) else [replace(emitted, stood=emitted.stood and is_first)]
            self._unseen.note_events(event for batch in batches for event in batch.events)
            with self.progress.storing():
                self._intake.store_batches(name, *batches)

    def _set_impairment(self, name: str, reason: str) -> None:
        """Record and log that a source that runs can't see everything, or, without a reason, that it can again."""
        self._states.set_impairment(name, reason)
        if reason:
            log.warning("source_impaired", source=name, reason=reason)
        else:
            log.info("source_recovered", source=name)


def _is_of_store(error: BaseException | None) -> bool:
    """Return whether the store or the disk failed, and not the source: there may be room again at any time."""
    return isinstance(error, StoreError) or (isinstance(error, OSError) and error.errno == errno.ENOSPC)


def collect(settings: Settings, home: Home, stop: Stop, ready: Callable[[], None]) -> None:
    """Collect until `stop` is set; call `ready` once all sources watch."""
    store = open_store(settings, home)
    url = broker_url(home, settings)
    launches = Launches(store, settings)
    announcer = Announcer(make_app(url, key_prefix(settings)), settings)
    intake = Intake(store, settings, home, announcer.request_prediction, launches.saw)
    states = SourceStates(home)
    sources = [make_source(name, settings, home) for name in dict.fromkeys(settings.sources.on)]
    runner = SourceRunner(intake, states, stop)
    threads = [threading.Thread(target=runner.keep_running, args=(source,), name=source.name) for source in sources]
    threads.append(threading.Thread(target=launches.run, args=(stop,), name="launches"))
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + READY_TIMEOUT_S
    for source in sources:
        source.watching.wait(max(0.0, deadline - time.monotonic()))
    ready()
    while not stop.is_set():
        if not runner.progress.is_stuck:
            heartbeat.beat()
        select.select([stop], [], [], heartbeat.BEAT_S)
    _end(threads)
    states.close()
    store.close()


def _end(threads: Sequence[threading.Thread]) -> None:
    """Wait for the threads; end the process if one of them hangs."""
    deadline = time.monotonic() + END_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if hanging := [thread.name for thread in threads if thread.is_alive()]:
        log.error("source_hangs", sources=hanging)
        sys.stderr.flush()
        os._exit(1)


def silence_libraries() -> None:
    """Suppress warnings and thread tracebacks of libraries: they may name a file or a title."""
    warnings.simplefilter("ignore")
    threading.excepthook = lambda failure: log.error(
        "thread_failed", kind=failure.exc_type.__name__, at=format_tb(failure.exc_traceback)
    )


def main(part: str) -> None:
    """Run the collector until SIGTERM or SIGINT."""
    end_with_parent()
    settings, home = Settings.load(), Home.find()
    logs.setup(home.logs, part)
    silence_libraries()
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    collect(settings, home, stop, partial(heartbeat.say_ready, home, part))
