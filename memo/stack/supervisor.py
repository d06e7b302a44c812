"""The supervisor: starts the parts, restarts one that dies, starts training, upkeep and replays, and ends them all.

`memo up` leaves `python -m memo.stack.supervisor PART… [--replay FILE --speed X] [--for SECONDS]` in the background.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from memo.clock.watch import ClockWatch
from memo.core import logs
from memo.core.errors import MemoError
from memo.core.files import describe_full, write_atomically
from memo.core.paths import Home
from memo.service.service_manager import Notifier
from memo.stack import broker, broker_damage, child, heartbeat, running
from memo.stack.backoff import Backoff
from memo.stack.child import Child, ChildState
from memo.stack.process_specs import BROKER, PARTS, Part
from memo.stack.spawn import python_command
from memo.store.damage import find_marked

STARTING_POLL_S = 0.1  # between two checks while a part starts
SETTLED_POLL_S = heartbeat.BEAT_S  # between two checks after that; SIGCHLD reports a death at once
PING_S = 1.0  # for the broker to answer
GRACE_S = 6.0  # for the parts to end
BROKER_GRACE_S = 2.0  # for the broker to end after them; under 10 s together
BACKGROUND_BACKOFF_S = (5.0, 3600.0)  # first and longest delay after a process in the background that failed
REPLAY = "replay"

log = logs.get_logger(__name__)


@dataclass
class Background:
    """What a process of low priority does on request; one at a time."""

    module: str
    is_due: bool = False
    start_at: float = 0.0
    backoff: Backoff = field(default_factory=lambda: Backoff(*BACKGROUND_BACKOFF_S))


class Supervisor:
    """Runs parts as children; the broker, if it is one of them, starts before the others and ends after them.

    `say` is called with each sentence that a person should read. `specs` are all parts that `names` may name.
    `notifier` learns that all parts serve, that the loop works, and that it ends.
    """

    def __init__(
        self,
        home: Home,
        names: Sequence[str],
        say: Callable[[str], None],
        specs: Sequence[Part] = (BROKER, *PARTS),
        first_delay_s: float = child.FIRST_DELAY_S,
        notifier: Notifier | None = None,
    ) -> None:
        self._home, self._say = home, say
        self._notifier, self._was_ready = notifier or Notifier(), False
        self._children = [self._child(spec, first_delay_s) for spec in specs if spec.name in names]
        self._broker = next((one for one in self._children if one.name == BROKER.name), None)
        self._passing: dict[str, subprocess.Popen[bytes]] = {}  # processes that end by themselves, by name
        self._wake: SimpleQueue[None] = SimpleQueue()  # safe in a signal handler, which an Event is not
        self._stopping = False
        self._background = {running.TRAINING: Background("training"), running.UPKEEP: Background("scheduler")}
        self._notices: list[str] = []
        self._clock = ClockWatch()
        self._written: dict[str, Any] = {}
        self._checked_at = self._excused_until = time.monotonic()

    def _child(self, spec: Part, first_delay_s: float) -> Child:
        def ready() -> bool:
            if spec.name == BROKER.name and broker.serves(self._home, PING_S):
                heartbeat.say_ready(self._home, spec.name)
            return self._ready_file(spec.name).exists()

        def silent_s() -> float:
            if spec.name == BROKER.name and broker.serves(self._home, PING_S):  # it does not beat by itself
                heartbeat.touch(self._ready_file(spec.name))
            return min(heartbeat.silent_s(self._ready_file(spec.name)), time.monotonic() - self._excused_until)

        output, backoff = self._home.logs / f"{spec.name}.out", Backoff(first_delay_s, child.LONGEST_DELAY_S)
        return Child(spec.name, spec.command, ready, output, backoff, silent_s=silent_s, has_room=self._has_room)

    def _has_room(self) -> bool:
        return not describe_full(self._home.root)

    def _ready_file(self, name: str) -> Path:
        return heartbeat.file_of(self._home, name)

    @property
    def ready(self) -> bool:
        """Whether all parts serve."""
        return all(one.state is ChildState.RUNNING for one in self._children)

    def handle_signals(self, seconds: float | None) -> None:
        """Stop at the usual signals or after `seconds`; wake up when a child ends; train or do upkeep on request."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            signal.signal(number, self.stop)
        signal.signal(signal.SIGCHLD, lambda *_: self._wake.put(None))
        for name, number in running.REQUESTS.items():
            signal.signal(number, partial(self.request, name))
        signal.setitimer(signal.ITIMER_REAL, seconds or 0)

    def stop(self, *_: object) -> None:
        """Let `run` return; also a signal handler."""
        self._stopping = True
        self._wake.put(None)

    def request(self, name: str, *_: object) -> None:
        """Start a process of training or upkeep as soon as all parts serve, unless one runs; also a signal handler."""
        self._background[name].is_due |= name not in self._passing
        self._wake.put(None)

    def run(self, replay: Sequence[str] = (), ending: str = "") -> bool:
        """Keep all parts running until a signal or damage of the store; return whether no part had to be given up.

        `replay` holds the arguments of a replay that starts once all parts serve. `ending` is said before the wait
        for the parts to end.
        """
        try:
            while not self._stopping:
                self._check()
                if replay and self.ready:
                    self._launch(REPLAY, python_command("data.replay", *replay))
                    replay = ()
                is_settled = all(one.state in (ChildState.RUNNING, ChildState.FAILED) for one in self._children)
                with suppress(Empty):
                    self._wake.get(timeout=SETTLED_POLL_S if is_settled else STARTING_POLL_S)
            if ending:
                self._say(ending)
        finally:
            self._end()
        return all(one.state is not ChildState.FAILED for one in self._children) and not find_marked(self._home)

    def _check(self) -> None:
        self._end_if_damaged()
        self._excuse_after_pause()
        for one in self._children:
            before = one.state
            if before is ChildState.STOPPED and (one is self._broker or self._broker_serves):
                self._ready_file(one.name).unlink(missing_ok=True)
                one.start()
            one.watch()
            if one.state is not before:
                self._handle_change(one, before)
        self._check_passing()
        self._start_background()
        self._write_state()
        self._notify()

    def _end_if_damaged(self) -> None:
        """Let `run` return once the store was found to be damaged: a write may be lost, or destroy more."""
        if damage := find_marked(self._home):
            log.error("store_damaged", reason=damage)
            self._say(damage)
            self._stopping = True

    def _notify(self) -> None:
        """Tell the service manager that all parts serve, once, and that this loop works, each time."""
        if self.ready and not self._was_ready:
            self._was_ready = True
            self._notifier.send("READY=1")
        states = ", ".join(f"{one.name} {one.state}" for one in self._children)
        self._notifier.send(f"WATCHDOG=1\nSTATUS={states}")

    def _excuse_after_pause(self) -> None:
        """Beat; if this process itself stood still, the parts may have, too, so their silence counts from now on."""
        now = time.monotonic()
        if now - self._checked_at > heartbeat.STUCK_S:
            self._excused_until = now
        self._checked_at = now
        heartbeat.touch(self._home.run / "lock")

    @property
    def _broker_serves(self) -> bool:
        return self._broker is None or self._broker.state is ChildState.RUNNING

    def _handle_change(self, one: Child, before: ChildState) -> None:
        log.info("part_changed", part=one.name, state=one.state, restarts=one.restarts)
        if one.state is ChildState.STUCK:
            log.error("part_stuck", part=one.name)
        if one.state is ChildState.RESTARTING:
            self._ready_file(one.name).unlink(missing_ok=True)
            if one is self._broker and before not in child.SERVING and self._is_broker_damaged():
                self._set_broker_aside()
        if one.state is ChildState.FAILED:
            sentence = (
                f"The {one.name} died {child.MAX_DEATHS} times in a minute and is given up: "
                f"{child.last_line(one.output) or 'it said nothing'}; "
                f"see {self._home.logs}, then `memo down` and `memo up`."
            )
            log.error("part_given_up", part=one.name, reason=sentence)
            self._say(sentence)
            # Without a broker nothing can run; without another part the rest goes on, and events are still stored.
            self._stopping |= all(other.state is ChildState.STOPPED for other in self._children if other is not one)

    def _is_broker_damaged(self) -> bool:
        process = self._broker.process if self._broker else None
        if self._broker is None or process is None or process.returncode is None:
            return False
        return broker_damage.is_damage(self._broker.output, process.pid, process.returncode, self._home.broker)

    def _set_broker_aside(self) -> None:
        try:
            notice = broker_damage.set_broker_aside(self._home)
        except OSError as error:  # it is given up in the end, and says why
            log.error("broker_not_set_aside", reason=str(error))
            return
        log.error("broker_damaged", reason=notice)
        self._notices = [notice]
        self._say(notice)

    def _check_passing(self) -> None:
        for name, process in list(self._passing.items()):
            if process.poll() is None:
                continue
            del self._passing[name]
            log.info("process_ended", name=name, status=process.returncode)
            if name in self._background:
                self._handle_background_end(self._background[name], process.returncode)
            if words := child.last_line(self._home.logs / f"{name}.out"):
                self._say(words)

    def _handle_background_end(self, one: Background, status: int) -> None:
        if status > 0:  # more may be queued, and the next process may fail in the same way
            one.start_at = time.monotonic() + one.backoff.delay_after()
        else:
            one.backoff.reset()
        one.is_due |= status < 0  # it was killed: the next process goes on, or records that its run has failed

    def _start_background(self) -> None:
        for name, one in self._background.items():
            is_free = self.ready and name not in self._passing and time.monotonic() >= one.start_at
            if one.is_due and is_free:
                one.is_due = False
                self._launch(name, python_command(one.module))

    def _launch(self, name: str, command: Sequence[str]) -> None:
        output = self._home.logs / f"{name}.out"
        output.unlink(missing_ok=True)
        try:
            self._passing[name] = child.start(command, output)
        except OSError as error:
            log.error("process_failed", name=name, reason=str(error))
            self._say(f"The {name} could not start ({error.strerror}).")
        self._write_state()

    def _write_state(self) -> None:
        """Write the state for `memo status`, if it changed."""
        state = {
            "pid": os.getpid(),
            "parts": [
                {"name": one.name, "state": one.state, "pid": one.pid, "restarts": one.restarts}
                for one in self._children
            ],
            "passing": [{"name": name, "pid": process.pid} for name, process in self._passing.items()],
            "notices": self._notices,
            "clock": self._clock.look(),
        }
        if state != self._written:
            with suppress(OSError):  # a full disk must not end the stack
                write_atomically(self._home.state, json.dumps(state))
                self._written = state
        if state == self._written:
            heartbeat.touch(self._home.state)

    def _end(self) -> None:
        self._notifier.send("STOPPING=1")
        others = [one.process for one in self._children if one is not self._broker]
        others += self._passing.values()
        if find_marked(self._home):  # to end by itself a part closes the store, and so writes into its file
            child.kill(others)
        else:
            child.end(others, GRACE_S)
        if self._broker is not None:
            child.end([self._broker.process], BROKER_GRACE_S)
            broker.clear(self._home)
        for one in self._children:
            self._ready_file(one.name).unlink(missing_ok=True)
        self._home.state.unlink(missing_ok=True)
        self._home.remove_memory()


def main() -> int:
    """Supervise in the background; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m memo.stack.supervisor", description=__doc__)
    parser.add_argument("parts", nargs="+", choices=[part.name for part in (BROKER, *PARTS)])
    parser.add_argument("--replay", default="")
    parser.add_argument("--speed", default="0")
    parser.add_argument("--for", type=float, dest="seconds")
    parser.add_argument("--lock", type=int, help="inherited descriptor of the home's lock")
    given = parser.parse_args()
    home = Home.find()
    with running.hold(home) if given.lock is None else running.take_over(home, given.lock):
        logs.setup(home.logs, "supervisor")
        supervisor = Supervisor(home, given.parts, lambda sentence: print(sentence, flush=True))
        supervisor.handle_signals(given.seconds)
        return 0 if supervisor.run([given.replay, "--speed", given.speed] if given.replay else []) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MemoError as error:
        sys.exit(str(error))
