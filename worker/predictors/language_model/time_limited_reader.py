"""A reader whose scores are waited for only up to a time limit, and which prepares the next ones in between."""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event as Flag
from typing import Protocol

from memo.core.events import Event
from memo.core.logs import get_logger
from worker.predictors.reader import Reader, Scores

log = get_logger(__name__)


class PreparingReader(Reader, Protocol):
    """A reader that can work ahead, in parts."""

    @property
    def is_quick(self) -> bool:
        """Whether `scores` takes milliseconds at most."""

    @property
    def lags(self) -> bool:
        """Whether there is work that can be done before the next question."""

    def prepare(self) -> None:
        """Do a part of that work."""


class TimeLimitedReader:
    """Runs a reader in a thread of its own, one job at a time; a job that is late goes on, for the next call.

    After an answer the thread works ahead until it is asked again. Quick answers are not worth waking it.
    """

    def __init__(self, reader: PreparingReader, limit_s: float) -> None:
        self._reader, self._limit_s = reader, limit_s
        self._thread = ThreadPoolExecutor(1, "language-model")
        self._job: Future[Scores] | None = None
        self._unread: list[Event] = []
        self._is_asked = Flag()
        self.late = 0  # timeouts so far
        self._failed = False

    def read(self, event: Event) -> None:
        """Read the next event, at once or after the job under way."""
        if self._failed:
            return
        self._unread.append(event)
        if self._job is None or self._job.done():
            self._catch_up()

    def scores(self) -> Scores:
        """Return the scores of what comes next; empty after a timeout, and for good once the reader has failed."""
        if self._failed:
            return Scores()
        deadline = time.monotonic() + self._limit_s
        try:
            self._wait(deadline)
            self._catch_up()
            if self._reader.is_quick:
                scores = self._reader.scores()
            else:
                self._job = self._thread.submit(self._reader.scores)
                scores = self._wait(deadline)
            if self._reader.lags:
                self._job = self._thread.submit(self._prepare)
            return scores
        except TimeoutError:
            self.late += 1
            log.warning("language_model_late", times=self.late)
        except Exception:  # of a library, such as no memory left on the device: its context is in doubt
            self._failed = True
            self._unread.clear()
            log.exception("language_model_failed")
        return Scores()

    def _wait(self, deadline: float) -> Scores:
        """Wait for the job under way, if any, and return its result. Raises TimeoutError."""
        if self._job is None:
            return Scores()
        self._is_asked.set()
        done, _ = wait([self._job], max(0.0, deadline - time.monotonic()))
        if not done:
            raise TimeoutError
        self._is_asked.clear()
        job, self._job = self._job, None
        return job.result()

    def _prepare(self) -> Scores:
        while self._reader.lags and not self._is_asked.is_set():
            self._reader.prepare()
        return Scores()

    def _catch_up(self) -> None:
        unread, self._unread = self._unread, []
        for event in unread:
            self._reader.read(event)
