"""Read AMQP messages whatever their properties hold.

The client library fails at a time beyond all years or at a name that is not UTF-8; the broker then sends the same
message to the next connection, so that nothing behind it is ever read.
"""

from typing import Any

from amqp.serialization import PROPERTY_CLASSES

BASIC = 60  # class of the messages of queues; source: AMQP 0-9-1


def tolerate_any_properties() -> None:
    """Make this process treat unreadable properties as absent."""
    read = PROPERTY_CLASSES[BASIC]
    if read.__name__ != _tolerant.__name__:
        PROPERTY_CLASSES[BASIC] = _tolerant(read)


def _tolerant(read: Any) -> Any:
    def _tolerant(buffer: bytes, offset: int) -> tuple[dict[str, Any], int]:
        try:
            found: tuple[dict[str, Any], int] = read(buffer, offset)
            return found
        except Exception:  # whatever a value raises
            return {}, len(buffer)

    return _tolerant
