"""A language model that is waited for only so long."""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

from memo.core.events import Event
from memo.core.logs import get_logger
from worker.predictors.language_model.language import ModelScores
from worker.predictors.ranker import Reader
from worker.predictors.ranker import Scores as Said

log = get_logger(__name__)


class TookTooLong(Exception):
    """It takes too long."""


class TimeLimitedReader:
    """Answers in a thread of its own, one job at a time; one that is late goes on, for the next ask."""

    def __init__(self, reader: Reader, limit_s: float) -> None:
        self._reader, self._limit_s = reader, limit_s
        self._thread = ThreadPoolExecutor(1, "language-model")
        self._job: Future[Said] | None = None
        self._unread: list[Event] = []
        self.late = 0
        """How often it was not waited for."""
        self._failed = False

    def read(self, event: Event) -> None:
        """Take in the next event: at once, or, while a job is under way, after it."""
        if self._job is not None:
            self._unread.append(event)
        elif not self._failed:
            self._reader.read(event)

    def scores(self) -> Said:
        """What comes next; nothing where that takes too long, nor ever again once it has failed."""
        if self._failed:
            return ModelScores()
        until = time.monotonic() + self._limit_s
        try:
            self._wait(until)
            self._catch_up()
            self._job = self._thread.submit(self._reader.scores)
            return self._wait(until) or ModelScores()
        except TookTooLong:
            self.late += 1
            log.warning("the language model was late; history answered alone", times=self.late)
        except Exception:  # of a library, such as no memory left on the device; what it had read is in doubt
            self._failed = True
            self._unread.clear()
            log.exception("the language model failed; history answers alone")
        return ModelScores()

    def _wait(self, until: float) -> Said | None:
        """The result of the job under way, which then is none any more."""
        if self._job is None:
            return None
        done, _ = wait([self._job], max(0.0, until - time.monotonic()))
        if not done:
            raise TookTooLong
        job, self._job = self._job, None
        return job.result()

    def _catch_up(self) -> None:
        unread, self._unread = self._unread, []
        for event in unread:
            self._reader.read(event)
