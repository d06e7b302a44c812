"""What may go wrong with a stack: each fault is a function that makes it and, after a while, ends it."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from disks import fill, make_room
from false_clock import FalseClock
from own_servers import OwnServer
from stack import Stack
from stopping import family

from memo.stack import heartbeat, running

PARTS = ("broker", "collector", "worker", "dispatcher", "supervisor")
LASTS_S = 30.0  # for which a fault lasts that ends by itself
NOTICED_S = heartbeat.BEAT_S + 1  # within which the supervisor looks at the clock
NEARLY_FULL = 16_000_000  # bytes that are left before the disk is full
DOWN_S = 5.0  # between the end of a server and its next start
CLOCKS = {"ahead by 3 years": timedelta(days=1095), "back by an hour": timedelta(hours=-1)}


@dataclass(frozen=True)
class Fault:
    """What happens, to what, and how; `asks_up` if only a person's `memo up` ends it."""

    name: str
    of: str
    make: Callable[[], None]
    asks_up: bool = False
    prepare: Callable[[], None] = lambda: None
    """Does what takes long before `make` and is no fault yet."""


def all_faults(stack: Stack, servers: Sequence[OwnServer], clock: FalseClock, is_small_disk: bool) -> list[Fault]:
    """All faults that are possible here."""
    embedded = "MEMO_BROKER_URL" not in stack.settings
    parts = [part for part in PARTS if part != "broker" or embedded]
    found = [Fault("kill", part, partial(kill, stack, part), part == "supervisor") for part in parts]
    found += [Fault("stop", part, partial(stop, stack, part)) for part in parts]
    found += [Fault("damage", "broker", partial(damage, stack))] * embedded
    nearly_full = partial(fill, stack.home.root, NEARLY_FULL)
    found += [Fault("full", "disk", partial(fill_disk, stack), prepare=nearly_full)] * is_small_disk
    found += [Fault(f"set {how}", "clock", partial(set_clock, clock, by)) for how, by in CLOCKS.items()]
    return found + [Fault("restart", server.name, partial(restart, server)) for server in servers]


def set_clock(clock: FalseClock, by: timedelta) -> None:
    """Set the clock, and set it right again after a while; wait until that, too, has been noticed."""
    clock.move(by)
    time.sleep(LASTS_S)
    clock.move(timedelta())
    time.sleep(NOTICED_S)


def pid_of(stack: Stack, part: str) -> int:
    """The process of a part, or of the supervisor."""
    state = running.state(stack.home)
    pid: int = state["pid"] if part == "supervisor" else next(p["pid"] for p in state["parts"] if p["name"] == part)
    return pid


def kill(stack: Stack, part: str) -> None:
    """Kill a process; nobody but a person starts a supervisor again."""
    os.kill(pid_of(stack, part), signal.SIGKILL)


def stop(stack: Stack, part: str) -> None:
    """Let a process and all below it stand still for a while."""
    pids = family(pid_of(stack, part))
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(LASTS_S)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def damage(stack: Stack) -> None:
    """Write over the beginning of the broker's files, as a power failure may, and kill it."""
    pid = pid_of(stack, "broker")
    for path in (stack.home.broker / "appendonlydir").glob("*.incr.aof"):
        with path.open("r+b") as file:
            file.write(b"\0" * 64)
    os.kill(pid, signal.SIGKILL)


def fill_disk(stack: Stack) -> None:
    """Leave no byte on the home's disk for a while."""
    fill(stack.home.root)
    time.sleep(LASTS_S)
    make_room(stack.home.root)


def restart(server: OwnServer) -> None:
    """End a server and start it again."""
    server.end()
    time.sleep(DOWN_S)
    server.start()
