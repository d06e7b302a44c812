"""Structured logs: one JSON object a line, a rotating file for each part."""

import logging
import logging.handlers
import sys
from pathlib import Path

# structlog imports rich where it is there, to draw tracebacks; no part of MEMO does, and it is 5 MB of each process.
_NO_RICH = "rich" not in sys.modules
if _NO_RICH:
    sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402

if _NO_RICH:
    del sys.modules["rich"]

MAX_BYTES, BACKUPS = 5_000_000, 3


def setup(folder: Path, part: str) -> None:
    """Send this process's logs, those of libraries too, to `folder/part.log`."""
    handler = logging.handlers.RotatingFileHandler(
        folder / f"{part}.log", maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", errors="backslashreplace"
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=shared,
        )
    )
    logging.raiseExceptions = False  # where the disk is full, no traceback comes to the terminal instead
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for library in ("celery", "kombu"):  # they tell of each task, for ever
        logging.getLogger(library).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
