"""Idle time of an X server, by its own alarms instead of polling.

python-xlib lacks the SYNC extension; this module declares the few requests that are needed.
Source: X Synchronization Extension Protocol 3.1, with the server's counter IDLETIME.
"""

import struct
from collections.abc import Iterator
from typing import Any

from Xlib.display import Display
from Xlib.protocol import rq

EXTENSION = "SYNC"
COUNTER = b"IDLETIME"
ALARM_NOTIFY = 1  # number of the event within the extension
UPWARDS = 0  # test: the alarm goes off when the counter rises past its value
DOWNWARDS = 1  # test: it goes off when the counter falls below it
ALL_ATTRIBUTES = 0b111111  # mask: counter, kind of value, value, test, delta, whether events are sent


def _field(name: str) -> rq.ValueField:
    """Return a field of 32 bits; the high half of a number of 64 bits has its sign."""
    return (rq.Int32 if name.endswith("_high") else rq.Card32)(name)


class _Initialize(rq.ReplyRequest):
    _request = rq.Struct(
        rq.Card8("opcode"), rq.Opcode(0), rq.RequestLength(), rq.Card8("major"), rq.Card8("minor"), rq.Pad(2)
    )
    _reply = rq.Struct(
        rq.ReplyCode(), rq.Pad(1), rq.Card16("sequence_number"), rq.ReplyLength(), rq.Card16("version"), rq.Pad(22)
    )


class _ListSystemCounters(rq.ReplyRequest):
    _request = rq.Struct(rq.Card8("opcode"), rq.Opcode(1), rq.RequestLength())
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Pad(1),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card32("count"),
        rq.Pad(20),
        rq.Binary("counters"),
    )


class _CreateAlarm(rq.Request):
    _value = ("counter", "relative", "value_high", "value_low", "test", "delta_high", "delta_low", "events")
    _request = rq.Struct(rq.Card8("opcode"), rq.Opcode(8), rq.RequestLength(), *map(_field, ("alarm", "mask", *_value)))


class AlarmNotify(rq.Event):
    """The event of an alarm that went off."""

    _code = None
    _fields = rq.Struct(
        rq.Card8("type"),
        rq.Card8("kind"),
        rq.Card16("sequence_number"),
        *map(_field, ("alarm", "counter_high", "counter_low", "alarm_high", "alarm_low", "timestamp")),
        rq.Card8("state"),
        rq.Pad(3),
    )


class IdleAlarm:
    """Alarms for when there has been no input for `idle_s`, and for the next input."""

    def __init__(self, display: Display, idle_s: float) -> None:
        self._event_type, self._alarms = 0, dict[int, bool]()
        extension = display.query_extension(EXTENSION)
        if extension is None:
            return
        self._event_type = extension.first_event + ALARM_NOTIFY
        display.extension_add_event(self._event_type, AlarmNotify)
        _Initialize(display=display.display, opcode=extension.major_opcode, major=3, minor=1)
        reply = _ListSystemCounters(display=display.display, opcode=extension.major_opcode)
        for name, counter in _parse_counters(bytes(reply.counters)):
            if name == COUNTER:
                for test in (UPWARDS, DOWNWARDS):
                    alarm = _create_alarm(display, extension.major_opcode, counter, idle_s, test)
                    self._alarms[alarm] = test == UPWARDS

    def is_idle(self, event: rq.Event) -> bool | None:
        """Return whether an event starts (True) or ends (False) idle time; None for any other event."""
        return self._alarms.get(event.alarm) if event.type == self._event_type else None


def _create_alarm(display: Display, opcode: int, counter: int, idle_s: float, test: int) -> int:
    alarm = display.display.allocate_resource_id()
    value = {"counter": counter, "relative": False, "value_high": 0, "value_low": int(idle_s * 1000), "test": test}
    rest: dict[str, Any] = {"mask": ALL_ATTRIBUTES, "delta_high": 0, "delta_low": 0, "events": True}
    _CreateAlarm(display=display.display, opcode=opcode, alarm=alarm, **rest | value)
    return alarm


def _parse_counters(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield name and id of each counter: 4 bytes id, 8 bytes resolution, 2 bytes length, name, padded to 4 bytes."""
    start = 0
    while start < len(data):
        counter, length = struct.unpack_from("=I8xH", data, start)
        yield data[start + 14 : start + 14 + length], counter
        start += (14 + length + 3) // 4 * 4
