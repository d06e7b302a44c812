"""Structured logs: one JSON object per line, in one rotating file per part."""

import logging
import logging.handlers
import os
import stat
import sys
from pathlib import Path

# structlog imports rich, if it is installed, to draw tracebacks: 5 MB per process that no part of MEMO needs.
_NO_RICH = "rich" not in sys.modules
if _NO_RICH:
    sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402

if _NO_RICH:
    del sys.modules["rich"]

MAX_BYTES = 5_000_000  # per file
BACKUPS = 3


class WholeLines(logging.handlers.RotatingFileHandler):
    """Writes each line whole or not at all, and never raises: a full disk takes a part of a line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
            if self.shouldRollover(record):
                self.doRollover()
            if self.stream is None:
                self.stream = self._open()
            _append(self.stream.fileno(), line)
        except Exception:  # nothing may fail because it can't be logged, least of all a signal handler
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Do nothing: there is nowhere to say it."""


def _append(descriptor: int, line: bytes) -> None:
    """Append a line whole; if only its beginning fitted on the disk, remove that again."""
    written = os.write(descriptor, line)
    if written < len(line) and stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)


def setup(folder: Path, part: str) -> None:
    """Write this process's logs, including those of libraries, to `folder/part.log`."""
    handler = WholeLines(folder / f"{part}.log", maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer = structlog.processors.JSONRenderer()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(renderer, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for library in ("celery", "kombu"):  # they log each task
        logging.getLogger(library).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
