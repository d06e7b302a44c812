"""The supervisor: starts the parts, restarts one that dies, carries out runs of training, ends them all.

`memo up` leaves `python -m memo.stack.supervisor PART… [--replay FILE --speed X] [--for SECONDS]` in the background.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from memo.core import logs
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.stack import broker, child, running
from memo.stack.child import Child, ChildState
from memo.stack.process_specs import BROKER, PARTS
from memo.stack.spawn import python_command

SOON_S, LATER_S = 0.1, 5.0
"""Between two looks: while something starts, and after that. A death is seen at once, by its signal."""
GRACE_S, BROKER_GRACE_S = 6.0, 2.0
"""For the parts to end, and then for their broker: under 10 seconds together."""
TRAINING, REPLAY = "training", "replay"
"""Processes that end by themselves."""

log = logs.get_logger(__name__)


class Supervisor:
    """Runs parts as children. The broker, where it is one of them, is up before the others and ends after them.

    `say` is told what a person should know.
    """

    def __init__(self, home: Home, names: Sequence[str], say: Callable[[str], None]) -> None:
        self._home, self._say = home, say
        self._children = [self._child(part.name, part.command) for part in (BROKER, *PARTS) if part.name in names]
        self._broker = next((one for one in self._children if one.name == BROKER.name), None)
        self._passing: dict[str, subprocess.Popen[bytes]] = {}
        self._wake: SimpleQueue[None] = SimpleQueue()  # unlike an Event, safe to use in a signal's handler
        self._stopping = False
        self._written: dict[str, Any] = {}

    def _child(self, name: str, command: Sequence[str]) -> Child:
        def ready() -> bool:
            return broker.serves(self._home) if name == BROKER.name else self._ready_file(name).exists()

        return Child(name, command, ready, self._home.logs / f"{name}.out")

    def _ready_file(self, name: str) -> Path:
        return self._home.run / f"{name}.ready"

    @property
    def ready(self) -> bool:
        """Whether all of them serve."""
        return all(one.state is ChildState.RUNNING for one in self._children)

    def handle_signals(self, seconds: float | None) -> None:
        """End at the signals that ask for it, or after so long; look at once when a child ends."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            signal.signal(number, self.stop)
        signal.signal(signal.SIGCHLD, lambda *_: self._wake.put(None))
        signal.setitimer(signal.ITIMER_REAL, seconds or 0)

    def stop(self, *_: object) -> None:
        """Let `run` end; also as a signal's handler."""
        self._stopping = True
        self._wake.put(None)

    def run(self, replay: Sequence[str] = (), ending: str = "") -> bool:
        """Keep all running until a signal; whether none had to be given up. `replay` begins when all are ready.

        `ending` is said before the wait for the parts to end.
        """
        try:
            while not self._stopping:
                self._look()
                if replay and self.ready:
                    self._launch(REPLAY, python_command("data.replay", *replay))
                    replay = ()
                settled = all(one.state in (ChildState.RUNNING, ChildState.FAILED) for one in self._children)
                with suppress(Empty):
                    self._wake.get(timeout=LATER_S if settled else SOON_S)
            if ending:
                self._say(ending)
        finally:
            self._end()
        return all(one.state is not ChildState.FAILED for one in self._children)

    def _look(self) -> None:
        for one in self._children:
            before = one.state
            if before is ChildState.STOPPED and (one is self._broker or self._broker_serves):
                self._ready_file(one.name).unlink(missing_ok=True)
                one.start()
            one.watch()
            if one.state is not before:
                self._changed(one)
        self._look_after_passing()
        self._write()

    @property
    def _broker_serves(self) -> bool:
        return self._broker is None or self._broker.state is ChildState.RUNNING

    def _changed(self, one: Child) -> None:
        log.info("a part changed", part=one.name, state=one.state, restarts=one.restarts)
        if one.state is ChildState.RESTARTING:
            self._ready_file(one.name).unlink(missing_ok=True)
        if one.state is ChildState.FAILED:
            sentence = (
                f"The {one.name} died {child.DEATHS} times in a minute and is given up: "
                f"{child.last_line(one.output) or 'it said nothing'}; "
                f"see {self._home.logs}, then `memo down` and `memo up`."
            )
            log.error(sentence)
            self._say(sentence)
            # A broker that never came up leaves nothing to run; else the others go on: events are still stored.
            self._stopping |= all(other.state is ChildState.STOPPED for other in self._children if other is not one)

    def _look_after_passing(self) -> None:
        for name, process in list(self._passing.items()):
            if process.poll() is not None:
                del self._passing[name]
                log.info("a process ended", name=name, status=process.returncode)
                if name == TRAINING and process.returncode < 0:
                    self._home.training_due.touch()  # the next process notes that this one was killed
                if words := child.last_line(self._home.logs / f"{name}.out"):
                    self._say(words)
        if self._home.training_due.exists() and self.ready and TRAINING not in self._passing:
            self._home.training_due.unlink()
            self._launch(TRAINING, python_command("training"))

    def _launch(self, name: str, command: Sequence[str]) -> None:
        output = self._home.logs / f"{name}.out"
        output.unlink(missing_ok=True)
        try:
            self._passing[name] = child.start(command, output)
        except OSError as error:
            log.error("a process could not begin", name=name, reason=str(error))
            self._say(f"The {name} could not begin ({error.strerror}).")
        self._write()

    def _write(self) -> None:
        """Keep the state where `memo status` reads it."""
        state = {
            "pid": os.getpid(),
            "parts": [
                {"name": one.name, "state": one.state, "pid": one.pid, "restarts": one.restarts}
                for one in self._children
            ],
            "passing": [{"name": name, "pid": process.pid} for name, process in self._passing.items()],
        }
        if state != self._written:
            fresh = self._home.state.with_suffix(".new")
            with suppress(OSError):  # a full disk must not end the stack
                fresh.write_text(json.dumps(state))
                fresh.replace(self._home.state)
                self._written = state

    def _end(self) -> None:
        others = [one.process for one in self._children if one is not self._broker]
        child.end([*self._passing.values(), *others], GRACE_S)
        if self._broker is not None:
            child.end([self._broker.process], BROKER_GRACE_S)
            broker.clear(self._home)
        for one in self._children:
            self._ready_file(one.name).unlink(missing_ok=True)
        self._home.state.unlink(missing_ok=True)


def main() -> int:
    """The process in the background; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m memo.stack.supervisor", description=__doc__)
    parser.add_argument("parts", nargs="+", choices=[part.name for part in (BROKER, *PARTS)])
    parser.add_argument("--replay", default="")
    parser.add_argument("--speed", default="0")
    parser.add_argument("--for", type=float, dest="seconds")
    given = parser.parse_args()
    home = Home.find()
    with running.hold(home):
        logs.setup(home.logs, "supervisor")
        supervisor = Supervisor(home, given.parts, lambda sentence: print(sentence, flush=True))
        supervisor.handle_signals(given.seconds)
        return 0 if supervisor.run([given.replay, "--speed", given.speed] if given.replay else []) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MemoError as error:
        sys.exit(str(error))
