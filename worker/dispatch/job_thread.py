"""A thread with a bounded queue of jobs, and jobs that are due at a time."""

import queue
import time
from collections.abc import Callable
from threading import Event, Thread

from memo.core.logs import get_logger

LENGTH = 16  # jobs that may wait

Job = Callable[[], object]
Due = tuple[float, Job]
"""Monotonic time, and what is to be done then unless the queue has something else."""

log = get_logger(__name__)


class JobThread:
    """Does the jobs of its users one after the other, and what is due when there are none."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.Queue[Job | None] = queue.Queue(LENGTH)
        self._users: list[Callable[[], Due | None]] = []
        self._thread = Thread(target=self._run, name=f"queue {name}", daemon=True)
        self._thread.start()

    def add_user(self, due: Callable[[], Due | None]) -> None:
        """Add a user, who says in the thread what is due next."""
        self._users.append(due)

    def put(self, job: Job) -> bool:
        """Enqueue a job; return False if the queue is full."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def join(self, *last: Job) -> None:
        """Wait until the queue is empty and these jobs are done."""
        done = Event()
        for job in (*last, done.set):
            self._jobs.put(job)
        done.wait()

    def close(self) -> None:
        """Finish the queue and end."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:  # the store may be unavailable for a while; the queue is needed after that
                log.exception("attempt_lost", queue=self._name)

    def _next(self) -> Job | None:
        """Return the next job, or None to end."""
        dues = [due for user in tuple(self._users) if (due := user())]
        at, job = min(dues, key=lambda due: due[0], default=(None, None))
        wait_s = None if at is None else at - time.monotonic()
        if wait_s is not None and wait_s <= 0:
            return job
        try:
            return self._jobs.get(timeout=wait_s)
        except queue.Empty:
            return job
