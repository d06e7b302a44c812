"""Idle time of an X server, told by it: no look from time to time is needed.

python-xlib has no SYNC extension; these are the few requests of it that are needed.
Source: X Synchronization Extension Protocol 3.1, with the server's counter IDLETIME.
"""

import struct
from collections.abc import Iterator

from Xlib.display import Display
from Xlib.protocol import rq

EXTENSION, COUNTER = "SYNC", b"IDLETIME"
ALARM_NOTIFY = 1
"""Of the extension's events."""
UPWARDS, DOWNWARDS = 0, 1
"""An alarm goes off each time the counter passes its value so."""
EVERY_ATTRIBUTE = 0b111111
"""Of an alarm: counter, kind of value, value, test, delta, whether events are sent."""


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
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(8),
        rq.RequestLength(),
        rq.Card32("alarm"),
        rq.Card32("mask"),
        rq.Card32("counter"),
        rq.Card32("relative"),
        rq.Int32("value_high"),
        rq.Card32("value_low"),
        rq.Card32("test"),
        rq.Int32("delta_high"),
        rq.Card32("delta_low"),
        rq.Card32("events"),
    )


class AlarmNotify(rq.Event):
    """An alarm went off."""

    _code = None
    _fields = rq.Struct(
        rq.Card8("type"),
        rq.Card8("kind"),
        rq.Card16("sequence_number"),
        rq.Card32("alarm"),
        rq.Int32("counter_high"),
        rq.Card32("counter_low"),
        rq.Int32("alarm_high"),
        rq.Card32("alarm_low"),
        rq.Card32("timestamp"),
        rq.Card8("state"),
        rq.Pad(3),
    )


class IdleAlarm:
    """Has a server say when keyboard and mouse were not touched for `after_s`, and when they are again."""

    def __init__(self, display: Display, after_s: float) -> None:
        self._notice, self._begins = 0, dict[int, bool]()
        found = display.query_extension(EXTENSION)
        if found is None:
            return
        self._notice = found.first_event + ALARM_NOTIFY
        display.extension_add_event(self._notice, AlarmNotify)
        _Initialize(display=display.display, opcode=found.major_opcode, major=3, minor=1)
        listed = _ListSystemCounters(display=display.display, opcode=found.major_opcode)
        for name, counter in _counters(bytes(listed.counters)):
            if name == COUNTER:
                for test in (UPWARDS, DOWNWARDS):
                    self._begins[_alarm(display, found.major_opcode, counter, after_s, test)] = test == UPWARDS

    def begins(self, event: rq.Event) -> bool | None:
        """Whether it begins with an event, or ends (False); None where the event is of something else."""
        return self._begins.get(event.alarm) if event.type == self._notice else None


def _alarm(display: Display, opcode: int, counter: int, after_s: float, test: int) -> int:
    alarm = display.display.allocate_resource_id()
    _CreateAlarm(
        display=display.display,
        opcode=opcode,
        alarm=alarm,
        mask=EVERY_ATTRIBUTE,
        counter=counter,
        relative=False,
        value_high=0,
        value_low=int(after_s * 1000),
        test=test,
        delta_high=0,
        delta_low=0,
        events=True,
    )
    return alarm


def _counters(listed: bytes) -> Iterator[tuple[bytes, int]]:
    """Name and id of each: id, resolution (8 bytes), length of the name, the name, and up to 4 bytes in all."""
    place = 0
    while place < len(listed):
        counter, length = struct.unpack_from("=I8xH", listed, place)
        yield listed[place + 14 : place + 14 + length], counter
        place += (14 + length + 3) // 4 * 4
